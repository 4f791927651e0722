"""Watch mode: more reports while somebody looks, the same history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from servers import compaction, history, ingest, partitions, past, watching
from servers.models import Newest, Server
from tests.servers.doors import Door, door  # noqa: F401
from tests.servers.reports import post, report
from tests.servers.samples import proc, raw_rows, store
from tests.servers.test_ingest_races import at_once, rows

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
# Of an hour that is over; some minutes into it, so that all is within one chain of changes.
T0 = timezone.now().replace(minute=2, second=0, microsecond=0) - timedelta(hours=2)


def watch(server: Server, at: datetime) -> None:
    """As a page does that is open then."""
    Newest.objects.filter(server=server).update(watched_until=at + watching.LASTS)


def told(server: Server, seconds: float, watched: bool) -> None:
    at = T0 + seconds * SECOND
    if watched:
        watch(server, at)
    store(server, at, [proc(pid, cpu=abs(seconds)) for pid in range(20)], cpu=abs(seconds))


def kept(server: Server) -> list[float]:
    """The seconds since T0 at which history has a table, and a reading."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sampled_at FROM servers_hostreading WHERE server_id = %s ORDER BY 1", [server.pk])
        readings = [(at - T0) / SECOND for (at,) in cursor.fetchall()]
    assert [(at - T0) / SECOND for at, _change in raw_rows(server)] == readings
    return readings


@pytest.fixture
def agent(door: Door, agent_token: str) -> Client:  # noqa: F811
    return door(agent_token)


def test_an_agent_hears_of_it_with_its_next_report(agent: Client, web1: Server) -> None:
    assert post(agent, report(ts=1)).json()["intervalSec"] == 10
    watching.look({str(web1.pk)})
    answer = post(agent, report(ts=2)).json()
    assert (answer["intervalSec"], answer["gridSec"]) == (2, 10)
    watch(web1, timezone.now() - watching.LASTS)  # nobody has looked since
    answer = post(agent, report(ts=3)).json()
    assert (answer["intervalSec"], "gridSec" in answer) == (10, False)


def test_only_who_is_looked_at_is_asked_for_more(web1: Server, db1: Server) -> None:
    told(web1, 0, watched=False)
    told(db1, 0, watched=False)
    watching.look({str(web1.pk)})
    until = dict(Newest.objects.values_list("server_id", "watched_until"))
    assert until[db1.pk] is None
    noted = until[web1.pk]
    assert noted is not None
    assert timedelta(0) < noted - timezone.now() <= watching.LASTS


@pytest.mark.parametrize(("ahead", "seconds"), [(1, 2), (25, 2), (26, 10), (8 * 3600, 10), (0, 10), (-1, 10)])
def test_a_look_lasts_a_while_and_one_from_the_future_counts_nothing(ahead: float, seconds: float) -> None:
    assert watching.interval(T0 + ahead * SECOND, T0) == seconds


def test_history_keeps_its_grid_and_its_chain(web1: Server) -> None:
    for second in range(0, 11, 10):
        told(web1, second, watched=False)
    for second in range(20, 61, 2):
        told(web1, second, watched=True)
    for second in range(70, 91, 10):
        told(web1, second, watched=False)
    assert kept(web1) == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]
    assert [change for _at, change in raw_rows(web1)] == [False] + [True] * 9
    tables = list(past.tables(web1.pk, T0, T0 + 100 * SECOND))
    assert [snapshot.procs[3].cpu for snapshot in tables] == kept(web1)
    assert Newest.objects.get().raw_procs is None


def test_what_comes_in_between_is_what_is_shown(web1: Server) -> None:
    for second in (-10, 0, 2):
        told(web1, second, watched=True)
    row = Newest.objects.get()
    assert (row.cpu, row.seq, row.sampled_at, row.raw_at) == (2, 3, T0 + 2 * SECOND, T0)
    assert kept(web1) == [-10, 0]


def test_a_sample_that_comes_somewhat_early_or_late_is_kept_all_the_same(web1: Server) -> None:
    for second in (-10, 0, 2.3, 4.1, 6.2, 8.9, 10.4, 12.1, 18.8, 20.3, 40, 42):
        told(web1, second, watched=True)
    assert kept(web1) == [-10, 0, 10.4, 20.3, 40]


def test_an_agent_that_reports_more_often_by_itself_is_kept_whole(web1: Server) -> None:
    for second in range(5):
        told(web1, second, watched=False)
    assert kept(web1) == [0, 1, 2, 3, 4]


def test_compaction_takes_nothing_away_that_the_next_table_builds_on(web1: Server) -> None:
    hour = T0.replace(minute=0)
    for second in (0, 10, 12, 14):
        told(web1, second, watched=True)
    partitions.make(history.LEVELS[history.CHUNKS], hour, hour)
    assert compaction.compact_hour(web1.pk, hour, timezone.now()) == 2
    row = Newest.objects.get()
    assert (row.raw_ts, row.raw_procs) == (None, None)
    told(web1, 20, watched=True)
    assert [snapshot.procs[3].cpu for snapshot in past.tables(web1.pk, T0, T0 + 30 * SECOND)] == [0, 10, 20]


def test_a_late_report_is_stored_once_however_long_ago_it_came(web1: Server) -> None:
    """It was taken, its agent never heard so, kept it, and tells it again behind many others."""
    store(web1, T0, [proc()])
    for number in range(1, ingest.REMEMBERED + 10):
        store(web1, T0 + number * 10 * SECOND, [proc()])
    now = T0 + 600 * SECOND
    assert store(web1, T0 + SECOND / 2, [proc()], now) == ingest.LATE  # another one
    assert store(web1, T0, [proc()], now) == ingest.DUPLICATE
    assert store(web1, T0 + SECOND / 2, [proc()], now) == ingest.DUPLICATE
    assert len(kept(web1)) == ingest.REMEMBERED + 11


@pytest.mark.django_db(transaction=True)
def test_looks_and_reports_at_once_wait_for_each_other_and_never_for_good(web1: Server, db1: Server) -> None:
    told(web1, 0, watched=False)
    told(db1, 0, watched=False)
    now = timezone.now()

    def looks() -> str:
        for _ in range(30):
            watching.look({str(db1.pk), str(web1.pk)})
        return ""

    def reports(servers: tuple[Server, Server]) -> Callable[[], str]:
        def send() -> str:
            for number in range(30):
                for server in servers:
                    store(server, now + number * 10 * SECOND, [proc()])
            return ""

        return send

    assert at_once([looks, reports((web1, db1)), looks, reports((db1, web1))]) == [""] * 4
    assert rows(web1, history.HOST_READINGS) > 10
