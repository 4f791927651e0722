"""Reports of one server that come in at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import TypeVar

import msgspec
import pytest
from django.db import connection
from django.utils import timezone

from servers import history, ingest
from servers.models import Newest, Server
from servers.wire import Report
from tests.servers.reports import report

pytestmark = pytest.mark.django_db(transaction=True)
RACERS = 8
T = TypeVar("T")


def at_once(racers: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Run them in threads that start together; what each returned or raised."""
    start = Barrier(len(racers))

    def run(racer: Callable[[], T]) -> T | Exception:
        start.wait(60)
        try:
            return racer()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(racers)) as pool:
        return list(pool.map(run, racers))


def storing(server: Server, ts: float) -> Callable[[], str]:
    body = msgspec.convert(report(ts=ts), Report)
    return lambda: ingest.store(server, body, timezone.now()).outcome


def rows(server: Server, table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table} WHERE server_id = %s", [server.pk])  # noqa: S608
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("known", [False, True])
def test_the_same_report_many_times_at_once_is_stored_once(web1: Server, known: bool) -> None:
    if known:
        storing(web1, 1)()
    outcomes = at_once([storing(web1, 7)] * RACERS)
    assert sorted(map(str, outcomes)) == [ingest.DUPLICATE] * (RACERS - 1) + [ingest.STORED]
    assert Newest.objects.get().seq == 1 + known
    assert rows(web1, history.HOST_READINGS) == rows(web1, history.PROCESSES) == 1 + known


def test_different_reports_at_once_are_all_stored(web1: Server) -> None:
    outcomes = at_once([storing(web1, ts) for ts in range(RACERS)])
    assert set(map(str, outcomes)) <= {ingest.STORED, ingest.LATE}
    assert Newest.objects.get().seq == RACERS
    assert rows(web1, history.HOST_READINGS) == RACERS
    assert sorted(Newest.objects.get().recent_ts) == list(range(RACERS))


def test_two_reports_that_miss_the_same_partition(web1: Server, db1: Server) -> None:
    far = timezone.now() + timedelta(days=90)
    body = msgspec.convert(report(), Report)
    outcomes = at_once([partial(ingest.store, server, body, far) for server in (web1, db1)])
    assert [getattr(stored, "outcome", stored) for stored in outcomes] == [ingest.STORED] * 2


def test_a_report_of_a_server_that_is_removed_meanwhile(web1: Server) -> None:
    Server.objects.filter(pk=web1.pk).delete()
    with pytest.raises(ingest.Gone):
        storing(web1, 1)()
    assert rows(web1, history.HOST_READINGS) == 0
