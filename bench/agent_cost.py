"""What a report costs the server it comes from, beside `top -b` and a floor in C, in one run.

    python bench/agent_cost.py [processes=520] [reports=40]

A real agent reports each second to a sink on this machine that knows its processes: collect, host readings, services,
JSON of what changed, gzip, POST. Most of the processes sleep; about one a second begins and ends. CPU is the agent's
own and its children's. The bound: at most 0.6 of one round of top; memory at most 32 MB.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.budgets import Budget, close
from tests.agent.as_installed import memory_settings
from tests.agent.toyhub import ToyHub
from tests.ports import free_port

ROOT = Path(__file__).parents[1]
TOP_BOUND = 0.6
RSS_BOUND_MB = 32.0
TOP_SEC = 0.95
SETTLED_REPORTS = 4  # the first ones read every user and command line


def main() -> None:
    wanted, reports = (int(arg) for arg in [*sys.argv[1:], "520", "40"][:2])
    sleepers = [*spawn(wanted - len(running())), subprocess.Popen(["sh", "-c", "while sleep 0.7; do :; done"])]
    try:
        agent_ms, top_ms, rss_mb, processes = side_by_side(reports)
        floor_ms = floor_cost()
    finally:
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()
    print(f"{processes} processes, CPU per collection:")
    print(f"  agent  {agent_ms:6.2f} ms  report built, packed and sent")
    print(f"  top -b {top_ms:6.2f} ms  agent / top   {agent_ms / top_ms:5.2f}")
    if floor_ms:
        print(f"  C      {floor_ms:6.2f} ms  agent / floor {agent_ms / floor_ms:5.2f}  (every stat read, no more)")
    close(
        Budget("agent CPU per collection / one round of top", agent_ms / top_ms, TOP_BOUND, ""),
        Budget("agent memory", rss_mb, RSS_BOUND_MB, "MB"),
    )


def running() -> list[str]:
    return [name for name in os.listdir("/proc") if name.isdigit()]


def spawn(count: int) -> list[subprocess.Popen[bytes]]:
    return [subprocess.Popen(["sleep", "600"]) for _ in range(count)]


def side_by_side(reports: int) -> tuple[float, float, float, int]:
    """CPU ms a report, CPU ms a round of top, RSS in MB, processes: over the same seconds, so that what else the
    machine does weighs on both, and top a little more often than once a second: who comes just after the other finds
    the kernel's memory in the caches, so that each is to come after the other at all distances."""
    with tempfile.TemporaryDirectory() as state, ToyHub(free_port()) as sink:
        sink.knows = lambda report: True  # as our hub does: reports tell what changed
        environ = {"API": sink.address, "AGENT_ID": "bench", "AGENT_TOKEN": "t", "STATE_DIR": state, "INTERVAL": "1"}
        agent = subprocess.Popen(
            [sys.executable, "-m", "agent", "--config", os.devnull],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **memory_settings(), **environ},
            stderr=subprocess.DEVNULL,
        )
        top = subprocess.Popen(["top", "-b", "-w", "512", "-d", str(TOP_SEC)], stdout=subprocess.DEVNULL)
        try:
            sink.wait_for(lambda: len(sink.reports) >= SETTLED_REPORTS, 60)
            time.sleep(0.5)  # between two reports
            first, began, before, top_before = len(sink.reports), time.monotonic(), cpu_ms(agent.pid), cpu_ms(top.pid)
            sink.wait_for(lambda: len(sink.reports) >= first + reports, reports + 60)
            time.sleep(0.5)
            spent = (cpu_ms(agent.pid) - before) / (len(sink.reports) - first)
            top_spent = (cpu_ms(top.pid) - top_before) / (time.monotonic() - began) * TOP_SEC
            return spent, top_spent, rss(agent.pid), sink.reports[-1]["procsTotal"]
        finally:
            for process in (agent, top):
                process.terminate()
                process.wait()


def cpu_ms(pid: int) -> float:
    """On the CPU so far: every thread to the nanosecond, ended children to the tick."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    own = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e6
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return own + (int(fields[13]) + int(fields[14])) * 1000 / os.sysconf("SC_CLK_TCK")


def rss(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1048576


def floor_cost() -> float | None:
    """CPU ms of the same reads in C; None without a compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "procstat")
        subprocess.run([compiler, "-O2", "-o", program, str(ROOT / "bench/floor/procstat.c")], check=True)
        return float(subprocess.run([program, "50"], capture_output=True, text=True, check=True).stdout.split()[0])


if __name__ == "__main__":
    main()
