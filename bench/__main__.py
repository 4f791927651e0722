"""Runs the benches one after the other, each in a process and on a database of its own.

python -m bench               all of them
python -m bench pages live    these
python -m bench --list        what there is
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from bench.budgets import MARK, OVER

ROOT = Path(__file__).resolve().parent.parent


class Bench(NamedTuple):
    """A script in bench/, and the programs it cannot do without, or whose comparison it leaves out."""

    script: str
    what: str
    needs: tuple[str, ...] = ()
    compares: tuple[str, ...] = ()


BENCHES = {
    "agent": Bench("agent_cost.py", "what a report costs the server it comes from", needs=("top",), compares=("cc",)),
    "report": Bench("report_cost.py", "what a report of 500 processes costs the hub"),
    "load": Bench("report_load.py", "1,000 agents of 500 processes that report and wait, beside a bare floor"),
    "command": Bench("command_latency.py", "from asking for a command to its agent's hands, 1,000 waiting"),
    "live": Bench("live_update.py", "from a report to 50 open pages that show it"),
    "history": Bench("history_size.py", "what the past of processes costs on disk, and to compact and read"),
    "past": Bench("past.py", "pages of past moments, with 30 days of 50 servers kept"),
    "search": Bench("process_search.py", "finding a process on 2,000 servers, now and in a past day"),
    "alert_processes": Bench("alert_processes.py", "a round of 40 process rules over 2,000 servers of 500 processes"),
    "spike": Bench("spike.py", "explaining an hour of 500 busy processes against the hour before"),
    "charts": Bench("charts.py", "charts of each range, with 30 days of 50 servers kept"),
    "alerts": Bench("alerts.py", "evaluating 200 alert rules over 2,000 servers"),
    "preview": Bench("alert_preview.py", "what a rule would have made of 7 days of 50 servers"),
    "preview_processes": Bench("alert_preview_processes.py", "the same of rules on processes, 500 a server"),
    "pages": Bench("pages.py", "the pages of a fleet of 2,000 servers"),
}


class Result(NamedTuple):
    """How one ended: in words, after so many seconds, with these lines about its budgets."""

    words: str
    seconds: float
    budgets: list[str]

    @property
    def good(self) -> bool:
        """Whether it ran, and kept its budgets."""
        return self.words == "done"


def lacking(programs: tuple[str, ...]) -> list[str]:
    """Those that are not installed."""
    return [program for program in programs if shutil.which(program) is None]


def run(name: str) -> Result:
    """Run one, letting it print as it goes."""
    bench = BENCHES[name]
    print(f"\n== {name}: {bench.what}", flush=True)
    if missing := lacking(bench.needs):
        print(f"not run: it needs {', '.join(missing)}")
        return Result(f"not run, needs {', '.join(missing)}", 0, [])
    if missing := lacking(bench.compares):
        print(f"without {', '.join(missing)}, so without that comparison")
    return _ran(bench.script)


def _ran(script: str) -> Result:
    own = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
    began, budgets = time.monotonic(), []
    argv = [sys.executable, "-u", str(ROOT / "bench" / script)]
    with subprocess.Popen(argv, cwd=ROOT, env=own, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if line.startswith(MARK):
                budgets.append(line.removeprefix(MARK).strip())
    words = {0: "done", OVER: "over its budget"}.get(process.returncode, f"failed with {process.returncode}")
    return Result(words, time.monotonic() - began, budgets)


def main() -> None:
    """Run those named, or all; say at the end how each stands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHES))
    parser.add_argument("--list", action="store_true", help="what there is, and what it lacks here")
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(BENCHES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    if asked.list:
        for name, bench in BENCHES.items():
            missing = ", ".join(lacking(bench.needs + bench.compares))
            print(f"{name:10}{bench.what}{f' (lacks {missing} here)' if missing else ''}")
        return
    results = {name: run(name) for name in asked.names or BENCHES}
    print("\n== summary")
    for name, result in results.items():
        print(f"{name:10}{result.words}, {result.seconds:.0f} s")
        for line in result.budgets:
            print(f"{'':10}{line}")
    sys.exit(not all(result.good for result in results.values()))


if __name__ == "__main__":
    main()
