"""What is read of the past."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from servers import history, ingest, partitions, past, rollup
from servers.models import Server
from servers.wire import Report
from tests.servers.reports import report

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
THIS_MINUTE = timezone.now().replace(second=0, microsecond=0)


def at(server: Server, moment: datetime, **load: float | None) -> None:
    body = report(ts=moment.timestamp(), load={"memTotalMB": 100} | load)
    ingest.store(server, msgspec.convert(body, Report), moment)


@pytest.mark.parametrize("rolled_up", [False, True])
def test_recent_minutes_of_many_servers_in_two_queries(
    web1: Server, web2: Server, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch,
    rolled_up: bool,
) -> None:  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM servers_rolledup")  # what other tests rolled up
    at(web1, THIS_MINUTE - 2 * MINUTE, cpu=10, memUsedMB=40)
    at(web1, THIS_MINUTE - 2 * MINUTE + timedelta(seconds=59), cpu=20, memUsedMB=60)
    at(web1, THIS_MINUTE - 29 * MINUTE, cpu=1)
    at(web1, THIS_MINUTE - 30 * MINUTE, cpu=99)
    at(web2, THIS_MINUTE, cpu=7, memUsedMB=5)
    if rolled_up:
        roll_up_until(THIS_MINUTE - MINUTE)
    monkeypatch.setattr(timezone, "now", lambda: THIS_MINUTE + MINUTE / 2)
    with django_assert_num_queries(2):
        found = past.recent([web1.pk, web2.pk])
    assert found[web1.pk]["cpu"] == [1, *[None] * 26, 15, None, None]
    assert found[web1.pk]["mem"][27] == 50
    assert found[web2.pk] == {"cpu": [None] * 29 + [7], "mem": [None] * 29 + [5]}


def roll_up_until(end: datetime) -> None:
    """The minutes before are in their level, and gone from the raw one."""
    partitions.make(history.LEVELS[history.HOST_MINUTES], end - timedelta(hours=1), end)
    rollup._roll(history.HOST_MINUTES, end - timedelta(hours=1), end)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {history.HOST_READINGS} WHERE sampled_at < %s", [end])  # noqa: S608
        cursor.execute("DELETE FROM servers_rolledup")
        cursor.execute("INSERT INTO servers_rolledup VALUES (%s, %s)", [history.HOST_MINUTES, end])


@pytest.mark.parametrize(
    ("seconds", "count", "step"),
    [(1, 300, 10), (3600, 361, 10), (3600, 300, 20), (86400, 300, 300), (2, 2, 10), (86400 * 700, 100, 86400 * 8)],
)
def test_steps_are_round_and_few_enough(seconds: float, count: int, step: int) -> None:
    assert history.step_for(seconds, count) == step
    assert seconds / step + 1 <= count
