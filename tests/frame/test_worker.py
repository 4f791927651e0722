"""The worker: every step at its pace, one that fails stops no other, and each is on record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.conf import settings

from pmonitor import worker
from pmonitor.models import StepRun

# A step gives its connection back, which a test's own transaction would not survive.
pytestmark = pytest.mark.django_db(transaction=True)
CHECKOUT = Path(__file__).resolve().parent.parent.parent


def works() -> None:
    RAN.append("works")


def fails() -> None:
    RAN.append("fails")
    raise RuntimeError("no such luck")


RAN: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    RAN.clear()


def test_a_step_is_recorded_each_time() -> None:
    worker.run_step(works)
    first = StepRun.objects.get()
    worker.run_step(works)
    second = StepRun.objects.get()
    assert (first.name, first.error) == (f"{__name__}.works", "")
    assert second.ran_at > first.ran_at
    assert second.seconds >= 0


def test_a_failing_step_is_recorded_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    worker.run_step(fails)
    assert StepRun.objects.get().error == "RuntimeError: no such luck"
    monkeypatch.setattr(f"{__name__}.fails.__code__", works.__code__)
    worker.run_step(fails)
    assert StepRun.objects.get().error == ""


def test_steps_run_at_their_pace_beside_one_that_fails_until_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "STEPS", [(0.1, fails), (0.2, works), (600, lambda: RAN.append("rare"))])
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 60
    while RAN.count("works") < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    thread.join(60)
    assert not thread.is_alive()
    ended = len(RAN)
    assert RAN.count("works") >= 3
    assert RAN.count("fails") > RAN.count("works")
    assert RAN.count("rare") == 1
    time.sleep(0.3)
    assert len(RAN) == ended


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_runs_every_step_and_stops_when_told(number: signal.Signals) -> None:
    database = settings.DATABASES["default"]
    address = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run_worker"], cwd=CHECKOUT, env={**os.environ, "DATABASE_URL": address}
    )
    try:
        deadline = time.monotonic() + 180
        while StepRun.objects.count() < len(worker.STEPS) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        assert {run.name: run.error for run in StepRun.objects.all()} == {
            StepRun.name_of(step): "" for _, step in worker.STEPS
        }
        process.send_signal(number)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
