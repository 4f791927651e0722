"""The worker: every step at its pace, one that fails stops no other, and each is on record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from structlog.testing import capture_logs

from pmonitor import worker
from pmonitor.models import StepRun
from tests.hosts.waiting import eventually
from tests.servers.test_gathering_away import Database, database  # noqa: F401

# A step gives its connection back, which a test's own transaction would not survive.
pytestmark = pytest.mark.django_db(transaction=True)
CHECKOUT = Path(__file__).resolve().parent.parent.parent


def works() -> None:
    RAN.append("works")


def fails() -> None:
    RAN.append("fails")
    raise RuntimeError("no such luck")


def rare() -> None:
    RAN.append("rare")


RAN: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    RAN.clear()


def run(*steps: worker.Step) -> None:
    worker.run_round(steps, threading.Event())


def test_a_step_is_recorded_each_time() -> None:
    run(worker.Step(1, works))
    first = StepRun.objects.get()
    run(worker.Step(1, works))
    second = StepRun.objects.get()
    assert (first.name, first.error) == (f"{__name__}.works", "")
    assert second.ran_at > first.ran_at
    assert second.seconds >= 0


def test_a_failing_step_is_recorded_and_recovers(monkeypatch: pytest.MonkeyPatch) -> None:
    run(worker.Step(1, fails))
    assert StepRun.objects.get().error == "RuntimeError: no such luck"
    monkeypatch.setattr(f"{__name__}.fails.__code__", works.__code__)
    run(worker.Step(1, fails))
    assert StepRun.objects.get().error == ""


def test_one_that_has_nothing_to_do_is_recorded_and_not_called_until_it_has() -> None:
    admins, viewers = (User.objects.filter(username=name).order_by("pk") for name in ("o'hara", "viewer"))
    steps = worker.Step(1, works, lambda: admins), worker.Step(1, fails, lambda: viewers)
    run(*steps)
    assert RAN == []
    assert StepRun.objects.filter(error="").count() == 2
    User.objects.create(username="o'hara")
    run(*steps)
    assert RAN == ["works"]


def test_where_it_cannot_be_told_who_has_something_to_do_every_step_is_called() -> None:
    run(worker.Step(1, works, lambda: User.objects.extra(where=["1 / 0 = 1"])))
    assert RAN == ["works"]
    assert StepRun.objects.get().error == ""


@pytest.mark.parametrize("step", [step for step in worker.STEPS if step.of], ids=lambda step: StepRun.name_of(step.run))
def test_asking_whether_a_step_has_something_to_do_reads_no_table_through(step: worker.Step) -> None:
    assert step.of
    rows: Any = step.of().order_by().values("pk")[:1]
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        try:
            plan = rows.explain()
        finally:
            cursor.execute("RESET enable_seqscan")
    assert "Seq Scan" not in plan.splitlines()[1], plan


def test_an_idle_round_takes_few_statements(django_assert_max_num_queries: Any) -> None:
    of_rows = [step for step in worker.STEPS if step.of]
    run(*of_rows)
    with django_assert_max_num_queries(2):
        run(*of_rows)


def test_steps_run_at_their_pace_beside_one_that_fails_until_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "STEPS", [worker.Step(0.1, fails), worker.Step(0.2, works), worker.Step(600, rare)])
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


def test_while_the_database_is_away_no_step_is_called_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
    database: Database,  # noqa: F811
) -> None:
    User.objects.create(username="o'hara")
    monkeypatch.setattr(worker, "STEPS", [worker.Step(0.1, works, User.objects.all), worker.Step(0.1, rare)])
    stop = threading.Event()
    with capture_logs() as said:
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        try:
            eventually(lambda: len(RAN), bool, 60)
            database.open(False)
            database.cut()
            eventually(lambda: [entry["event"] for entry in said], lambda events: "worker.database_away" in events, 60)
            ran = len(RAN)
            time.sleep(3)  # several rounds long
            assert len(RAN) == ran
            database.open(True)
            eventually(lambda: len(RAN), lambda number: number > ran, 60)
        finally:
            stop.set()
            thread.join(60)
    ours = [entry["event"] for entry in said if str(entry["event"]).startswith("worker.database")]
    assert ours == ["worker.database_away", "worker.database_back"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_runs_every_step_and_stops_when_told(number: signal.Signals) -> None:
    address = "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**settings.DATABASES["default"])
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run_worker"], cwd=CHECKOUT, env={**os.environ, "DATABASE_URL": address}
    )
    try:
        deadline = time.monotonic() + 180
        while StepRun.objects.count() < len(worker.STEPS) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.05)
        assert {run.name: run.error for run in StepRun.objects.all()} == {
            StepRun.name_of(step.run): "" for step in worker.STEPS
        }
        process.send_signal(number)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
