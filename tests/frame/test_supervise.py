"""Children that die are started again; children outlive neither their stop nor their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pmonitor import supervise
from pmonitor.supervise import Child
from tests.patience import PATIENCE

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)",
]
ROOT = Path(__file__).resolve().parent.parent.parent


def wait_for(happened: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + PATIENCE * seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def hear(child: Child, times: int) -> list[str]:
    """Keep the child until it had so much to say."""
    said: list[str] = []

    def listen() -> bool:
        if words := child.keep():
            said.append(words)
        return len(said) == times

    wait_for(listen)
    return said


def child(command: list[str], tmp_path: Path) -> Child:
    made = Child("Sleeper", command, lambda: os.environ, log=tmp_path / "log")
    made.start()
    wait_for(lambda: (tmp_path / "log").read_text())
    return made


def test_a_killed_child_is_started_again_and_both_are_said(tmp_path: Path) -> None:
    sleeper = child(SLEEP, tmp_path)
    assert sleeper.keep() == ""
    assert sleeper.process
    first = sleeper.process.pid
    os.kill(first, signal.SIGKILL)
    said = hear(sleeper, 2)
    assert said == [
        "Sleeper ended (killed by SIGKILL); it starts again in 0.5 s; its last words: up",
        "Sleeper started again",
    ]
    assert sleeper.process.pid != first
    sleeper.stop(5)


def test_one_that_dies_at_once_is_started_later_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "LONGEST_WAIT_SEC", 0.04)
    dying = Child("Dying", [sys.executable, "-c", "raise SystemExit(3)"], lambda: os.environ, log=tmp_path / "log")
    dying.wait = 0.01
    dying.start()
    said = hear(dying, 7)
    assert [line.split("again in ")[1] for line in said if "exit code 3" in line] == [
        "0.01 s",
        "0.02 s",
        "0.04 s",
        "0.04 s",
    ]
    dying.stop(5)


def test_stop_ends_it_even_when_it_ignores_sigterm(tmp_path: Path) -> None:
    deaf = child(DEAF, tmp_path)
    assert deaf.process
    pid = deaf.process.pid
    deaf.stop(0.3)
    assert not psutil.pid_exists(pid)
    assert deaf.process is None


def test_the_environment_is_asked_for_at_each_start(tmp_path: Path) -> None:
    answers = iter([{"N": "1"}, {"N": "2"}])
    printing = [sys.executable, "-c", "import os; print(os.environ['N'])"]
    said = Child("Said", printing, lambda: next(answers), log=tmp_path / "log")
    for number in "12":
        said.start()
        assert said.process
        said.process.wait()
        assert (tmp_path / "log").read_text() == number + "\n"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent death signal")
def test_a_killed_parent_takes_its_children_along() -> None:
    code = f"import os, time; from pmonitor.supervise import spawn; print(spawn({SLEEP}, os.environ).pid, flush=True)"
    parent = subprocess.Popen(
        [sys.executable, "-c", f"{code}; time.sleep(60)"], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert parent.stdout
    orphan = psutil.Process(int(parent.stdout.readline().removeprefix("up\n")))
    parent.kill()
    parent.wait()
    wait_for(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE)


def test_ctrl_c_during_a_start_is_not_lost_and_ends_what_started(tmp_path: Path) -> None:
    there = tmp_path / "followed"
    there.touch()
    # Inside the fork, where logging's hook runs: what a handler raises there, Python drops.
    code = f"""
import os, signal
from pmonitor.supervise import spawn
os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGINT))
try:
    spawn(["tail", "--follow", {str(there)!r}], os.environ) and print("lost")
except KeyboardInterrupt:
    print("heard")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert (done.stdout, done.stderr) == ("heard\n", "")
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(there) in (p.info["cmdline"] or [])]


def test_a_child_hears_the_signals_that_were_held_back_meanwhile() -> None:
    process = supervise.spawn(["sleep", "60"], os.environ)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == -signal.SIGINT
