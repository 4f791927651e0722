"""What is read of the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

import msgspec
import pytest
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from servers import history, ingest
from servers.models import Server
from servers.wire import Report
from tests.servers.reports import report

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
THIS_MINUTE = timezone.now().replace(second=0, microsecond=0)


class HalfPast(datetime):
    """The clock stands in the middle of that minute, however long the tests run."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> HalfPast:
        moment = (THIS_MINUTE + MINUTE / 2).astimezone(tz)
        return cls.fromtimestamp(moment.timestamp(), tz)


def at(server: Server, moment: datetime, **load: float | None) -> None:
    body = report(ts=moment.timestamp(), load={"memTotalMB": 100} | load)
    ingest.store(server, msgspec.convert(body, Report), moment)


def test_recent_minutes_of_many_servers_in_one_query(
    web1: Server, web2: Server, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "datetime", HalfPast)
    at(web1, THIS_MINUTE - 2 * MINUTE, cpu=10, memUsedMB=40)
    at(web1, THIS_MINUTE - 2 * MINUTE + timedelta(seconds=59), cpu=20, memUsedMB=60)
    at(web1, THIS_MINUTE - 29 * MINUTE, cpu=1)
    at(web1, THIS_MINUTE - 30 * MINUTE, cpu=99)
    at(web2, THIS_MINUTE, cpu=7, memUsedMB=5)
    with django_assert_num_queries(1):
        found = history.recent([web1.pk, web2.pk])
    assert found[web1.pk]["cpu"] == [1, *[None] * 26, 15, None, None]
    assert found[web1.pk]["mem"][27] == 50
    assert found[web2.pk] == {"cpu": [None] * 29 + [7], "mem": [None] * 29 + [5]}


def test_points_are_averages_with_their_ends_and_gaps_left_out(web1: Server, web2: Server) -> None:
    start = THIS_MINUTE - 20 * MINUTE
    for seconds, cpu in [(0, 10), (10, 20), (50, 60), (60, 5), (600, 7), (1200, 99)]:
        at(web1, start + timedelta(seconds=seconds), cpu=cpu)
    at(web1, start + 3 * MINUTE, cpu=None)
    at(web2, start, cpu=99)
    step, points = history.points(web1.pk, "cpu", start, start + 20 * MINUTE, 21)
    assert step == 60
    assert [(p.t, p.avg, p.min, p.max) for p in points] == [
        (start, 30, 10, 60),
        (start + MINUTE, 5, 5, 5),
        (start + 10 * MINUTE, 7, 7, 7),
    ]


@pytest.mark.parametrize("metric", history.METRICS)
def test_every_metric_can_be_read(web1: Server, metric: str) -> None:
    names = ("cpu", "memUsedMB", "swapUsedMB", "swapTotalMB", "load1", "load5", "load15")
    rates = ("diskReadBps", "diskWriteBps", "netRxBps", "netTxBps")
    at(web1, THIS_MINUTE, **dict.fromkeys(names + rates, 50.0))
    _step, (point,) = history.points(web1.pk, metric, THIS_MINUTE, THIS_MINUTE + MINUTE, 10)
    assert point.avg == {"swap": 100, "procs": 1}.get(metric, 50)


@pytest.mark.parametrize(
    ("seconds", "count", "step"),
    [(1, 300, 10), (3600, 361, 10), (3600, 300, 20), (86400, 300, 300), (2, 2, 10), (86400 * 700, 100, 86400 * 8)],
)
def test_steps_are_round_and_few_enough(seconds: float, count: int, step: int) -> None:
    assert history.step_for(seconds, count) == step
    assert seconds / step + 1 <= count


def test_a_process_table_of_a_moment_is_the_last_one_before(web1: Server, web2: Server) -> None:
    for server, seconds in [(web1, 0), (web1, 10), (web2, 5)]:
        at(server, THIS_MINUTE + timedelta(seconds=seconds))
    servers, within = [web1.pk, web2.pk], timedelta(seconds=8)

    def moments(seconds: float) -> dict[int, float]:
        tables = history.process_tables(servers, THIS_MINUTE + timedelta(seconds=seconds), within)
        return {table.server_id: (table.sampled_at - THIS_MINUTE).total_seconds() for table in tables}

    assert moments(-1) == {}
    assert moments(7) == {web1.pk: 0, web2.pk: 5}
    assert moments(10) == {web1.pk: 10, web2.pk: 5}
    assert moments(14) == {web1.pk: 10}
    assert history.process_tables([], datetime.now(UTC), within) == []
