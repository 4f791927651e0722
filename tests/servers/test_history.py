"""What is read of the past."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

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


@pytest.mark.parametrize(
    ("seconds", "count", "step"),
    [(1, 300, 10), (3600, 361, 10), (3600, 300, 20), (86400, 300, 300), (2, 2, 10), (86400 * 700, 100, 86400 * 8)],
)
def test_steps_are_round_and_few_enough(seconds: float, count: int, step: int) -> None:
    assert history.step_for(seconds, count) == step
    assert seconds / step + 1 <= count
