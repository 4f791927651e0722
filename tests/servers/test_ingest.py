"""What of a report is stored, and where in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from django.db import connection
from django.utils import timezone

from servers import history, ingest, partitions, past, proctable, states
from servers.models import Newest, Server, Service
from servers.wire import Report
from tests.servers.announced import Announced, announced  # noqa: F401
from tests.servers.reports import TS, proc, report, service

pytestmark = pytest.mark.django_db
NOW = timezone.now()
SECOND = timedelta(seconds=1)


def store(server: Server, at: datetime = NOW, **facts: object) -> ingest.Stored:
    server.refresh_from_db()
    return ingest.store(server, msgspec.convert(report(**facts), Report), at, "10.0.0.1")


def raw(server: Server, table: str = history.HOST_READINGS, column: str = "cpu") -> list[tuple[datetime, object]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT sampled_at, {column} FROM {table} WHERE server_id = %s ORDER BY 1",  # noqa: S608
            [server.pk],
        )
        return list(cursor.fetchall())


def test_without_sent_at_it_is_placed_at_its_receipt(web1: Server) -> None:
    assert store(web1).sampled_at == NOW
    assert raw(web1) == [(NOW, pytest.approx(8.9))]


@pytest.mark.parametrize("clock", [0, TS, 4e9])
def test_with_sent_at_it_is_placed_by_its_age_whatever_the_agents_clock(web1: Server, clock: float) -> None:
    assert store(web1, ts=clock, sentAt=clock + 90.5).sampled_at == NOW - 90.5 * SECOND


@pytest.mark.parametrize("age", [-1, -1e9, 48 * 3600, 1e9])
def test_an_age_that_cannot_be_places_it_at_its_receipt(web1: Server, age: float) -> None:
    assert store(web1, ts=2e9, sentAt=2e9 + age).sampled_at == NOW


def test_newer_values_replace_older_ones(web1: Server) -> None:
    store(web1, ts=1)
    stored = store(web1, NOW + 10 * SECOND, ts=2, load={"cpu": 50}, procs=[proc(cpu=None), proc(9, name="a", cpu=3)])
    row = Newest.objects.get()
    assert stored.outcome == ingest.STORED
    assert (row.seq, row.cpu, row.mem_used_mb, row.top_name, row.top_cpu) == (2, 50, None, "a", 3)
    assert row.readings["cpu"] == 50
    assert (row.received_at, row.sampled_at) == (NOW + 10 * SECOND, NOW + 10 * SECOND)
    assert [p.pid for p in proctable.unpack(row.procs)] == [123, 9]


def test_a_late_report_goes_into_the_past_only(web1: Server) -> None:
    store(web1, ts=100, load={"cpu": 50}, hostname="now")
    late = store(web1, NOW + SECOND, ts=40, sentAt=101, load={"cpu": 7}, hostname="then", services=[service()])
    assert late.outcome == ingest.LATE
    row = Newest.objects.get()
    assert (row.cpu, row.sampled_at, row.seq, row.services_at) == (50, NOW, 2, None)
    assert row.received_at == NOW + SECOND
    assert raw(web1) == [(NOW - 60 * SECOND, 7), (NOW, 50)]
    assert not Service.objects.exists()
    web1.refresh_from_db()
    assert web1.hostname == "now"


def test_buffered_reports_land_where_they_belong(web1: Server) -> None:
    for number in range(5):
        store(
            web1, NOW + number * SECOND / 100, ts=1000 + 10 * number, sentAt=1050 + number / 100, load={"cpu": number}
        )
    assert [(at - NOW, cpu) for at, cpu in raw(web1)] == [((10 * n - 50) * SECOND, n) for n in range(5)]
    assert Newest.objects.get().cpu == 4


def test_a_hub_clock_that_was_ahead_does_not_freeze_what_is_shown(web1: Server) -> None:
    store(web1, NOW + timedelta(hours=1), ts=1, load={"cpu": 1})
    assert store(web1, NOW, ts=2, load={"cpu": 2}).outcome == ingest.STORED
    assert Newest.objects.get().cpu == 2


def test_a_repeated_report_changes_nothing(web1: Server) -> None:
    store(web1, ts=1)
    store(web1, NOW + SECOND, ts=2, load={"cpu": 1})
    assert store(web1, NOW + 2 * SECOND, ts=1, load={"cpu": 99}).outcome == ingest.DUPLICATE
    assert Newest.objects.get().seq == 2
    assert len(raw(web1)) == len(raw(web1, history.PROCESSES, "procs_total")) == 2


def test_only_the_last_reports_are_remembered(web1: Server) -> None:
    for number in range(ingest.REMEMBERED + 5):
        store(web1, NOW + number * SECOND, ts=number)
    assert Newest.objects.get().recent_ts == list(range(ingest.REMEMBERED + 4, 4, -1))


def test_the_process_table_is_kept_as_it_was(web1: Server) -> None:
    store(web1, procs=[proc(1, ppid=0, threads=3, startTicks=77, user="root", cmdline="redis *:6379")], procsTotal=300)
    snapshot = past.table(web1.pk, NOW)
    assert snapshot is not None
    (kept,) = snapshot.procs
    assert (snapshot.procs_total, snapshot.sampled_at) == (300, NOW)
    assert (kept.pid, kept.ppid, kept.threads, kept.start_ticks, kept.user) == (1, 0, 3, 77, "root")


def test_a_table_older_than_tables_live_is_not_stored(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    level = history.LEVELS[history.PROCESSES]
    monkeypatch.setitem(history.LEVELS, history.PROCESSES, level._replace(kept=timedelta(hours=2)))
    store(web1, ts=0, sentAt=3 * 3600)
    assert len(raw(web1)) == 1
    assert raw(web1, history.PROCESSES, "ts") == []


def test_facts_are_kept_until_they_change(web1: Server) -> None:
    store(web1, ts=1, kernel="6.1", cpuCount=4, bootId="a", managers=["systemd"], allow=["restart:nginx.service"])
    store(web1, NOW + SECOND, ts=2, kernel="6.2")
    assert Newest.objects.get().facts == {
        "kernel": "6.2",
        "cpuCount": 4,
        "bootId": "a",
        "managers": ["systemd"],
        "allow": ["restart:nginx.service"],
        "address": "10.0.0.1",
    }


def test_services_are_replaced_as_a_set(web1: Server, db1: Server) -> None:
    store(db1, ts=1, agentId="srv-db-01", services=[service("a.service")])
    store(web1, ts=1, services=[service("a.service"), service("b.service"), service("b.service", subState="dead")])
    store(web1, NOW + SECOND, ts=2)  # without a list: nothing changes
    assert set(web1.services.values_list("name", "sub_state")) == {("a.service", "running"), ("b.service", "dead")}
    kept = web1.services.get(name="a.service").pk
    store(web1, NOW + 2 * SECOND, ts=3, services=[service("a.service", activeState="failed", mainPid=None, verbs=[])])
    row = web1.services.get()
    assert (row.pk, row.active_state, row.main_pid, row.verbs) == (kept, "failed", None, [])
    assert (row.since, row.n_restarts, row.mem_mb) == (datetime(2026, 1, 31, 12, tzinfo=UTC), 0, 9.5)
    assert Newest.objects.get(server=web1).services_at == NOW + 2 * SECOND
    assert db1.services.count() == 1
    store(web1, NOW + 3 * SECOND, ts=4, services=[])
    assert not web1.services.exists()


def test_the_least_of_a_service_will_do(web1: Server) -> None:
    store(web1, services=[{"name": "cron", "activeState": "active"}])
    row = web1.services.get()
    assert (row.manager, row.description, row.load_state, row.since, row.verbs) == ("systemd", "", "", None, [])
    assert row.can is None


def test_what_a_service_can_do_follows_its_lists(web1: Server) -> None:
    for ts, can in enumerate((["stop"], None, ["stop", "start"]), start=1):
        store(web1, NOW + ts * SECOND, ts=ts, services=[service("a.service", can=can)])
        assert web1.services.get().can == can


def test_it_wakes_a_silent_server(web1: Server) -> None:
    Server.objects.filter(pk=web1.pk).update(state=states.SILENT)
    store(web1)
    web1.refresh_from_db()
    assert (web1.state, web1.state_since) == (states.UP, NOW)


def test_a_missing_partition_is_made_on_demand(web1: Server) -> None:
    far = NOW + timedelta(days=60)  # the worker was away for long
    assert store(web1, far).outcome == ingest.STORED
    assert raw(web1) == [(far, pytest.approx(8.9))]
    level = history.LEVELS[history.HOST_READINGS]
    assert partitions.name_of(level, far.replace(hour=0)) in partitions._names(level)


@pytest.mark.django_db(transaction=True)
def test_what_is_announced(web1: Server, announced: Announced) -> None:  # noqa: F811
    Server.objects.filter(pk=web1.pk).update(enrolled_with="pme_12345678")
    row, server, services = (f"{kind}:{web1.pk}" for kind in ("row", "server", "services"))
    store(web1, ts=1)
    assert announced() == {row, server, "fleet:all", "enrol:pme_12345678"}
    store(web1, NOW + SECOND, ts=2)
    assert announced() == {row, server}
    store(web1, NOW + 2 * SECOND, ts=3, services=[service()])
    assert announced() == {row, server, services, "enrol:pme_12345678"}
    store(web1, NOW + 3 * SECOND, ts=4, services=[])
    happened = {f"happened:{web1.pk}", f"happened:{web1.pk}/redis-server.service"}
    assert announced() == {row, server, services, *happened}
    store(web1, NOW + 4 * SECOND, ts=4)
    assert announced() == set()
