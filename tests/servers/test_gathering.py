"""Reports that are gathered into one commit: each ends as it would alone, and none for a neighbour's sake."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from django.db import connection

from pmonitor import live, problems
from servers import changes, gathering, history, ingest, intake, past, proctable, rawtables
from servers.gathering import Gatherer
from servers.ingest import Stored
from servers.intake import Sent
from servers.models import Newest, Server, Service
from tests.cast import enrolled
from tests.servers.gathered import NOW, SECOND, commits, incoming, outcomes, together
from tests.servers.reports import proc, report, service, zipped

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_comes_together_is_one_commit(gatherer: Gatherer) -> None:
    fleet = [enrolled(f"srv-{number}")[0] for number in range(30)]
    for ts in (1, 2):
        assert outcomes(together(gatherer, *(incoming(one, ts, ts, cpu=4) for one in fleet))) == ["stored"] * 30
    assert commits() == commits(history.PROCESSES) == [30, 30]
    assert set(Newest.objects.values_list("seq", "cpu", "sampled_at")) == {(2, 8.9, NOW + 2 * SECOND)}
    assert set(Server.objects.values_list("state", flat=True)) == {"up"}


def test_each_server_has_its_own_values(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    first = incoming(web1, load={"cpu": 1}, procs=[proc(7)], hostname="one", kernel="6.1", services=[service("a")])
    second = incoming(db1, load={"cpu": 2}, procs=[proc(8), proc(9, name="b", cpu=50)], hostname="two")
    assert outcomes(together(gatherer, first, second)) == ["stored"] * 2
    one, two = Newest.objects.get(server=web1), Newest.objects.get(server=db1)
    assert (one.cpu, one.facts["kernel"], one.procs_total, one.top_name) == (1, "6.1", 1, "redis-server")
    assert (two.cpu, "kernel" in two.facts, two.procs_total, two.top_name) == (2, False, 2, "b")
    assert [p.pid for p in proctable.unpack(two.procs)] == [8, 9]
    assert list(Service.objects.values_list("server", "name")) == [(web1.pk, "a")]
    assert dict(Server.objects.values_list("pk", "hostname")) == {web1.pk: "one", db1.pk: "two"}


def test_reports_of_one_server_are_stored_in_their_order(gatherer: Gatherer, web1: Server) -> None:
    together(gatherer, incoming(web1, 1, services=[service(mainPid=1)]))
    ends = together(
        gatherer,
        incoming(web1, 2, 10, services=[service(mainPid=2)], load={"cpu": 2}, hostname="b"),
        incoming(web1, 3, 20, services=[service(mainPid=3)], load={"cpu": 3}, hostname="c"),
        incoming(web1, 4, 21, sentAt=9, load={"cpu": 4}, hostname="a"),  # of 5 s before
    )
    assert outcomes(ends) == ["stored", "stored", "late"]
    row = Newest.objects.get()
    assert (row.seq, row.cpu, row.recent_ts, row.services_at) == (4, 3, [4, 3, 2, 1], NOW + 20 * SECOND)
    assert (row.sampled_at, row.received_at) == (NOW + 20 * SECOND, NOW + 21 * SECOND)
    assert Service.objects.get().main_pid == 3
    web1.refresh_from_db()
    assert web1.hostname == "c"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT FROM {history.EVENTS} WHERE server_id = %s", [web1.pk])
        assert len(cursor.fetchall()) == 2


def test_process_tables_of_one_batch_build_on_each_other(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    tables = [[proc(pid, name=f"program-{pid}", cpu=pid + step) for pid in range(1, 60)] for step in range(3)]
    told = [incoming(db1, 9, procs=tables[2])._replace(received_at=hour)]
    for step, procs in enumerate(tables):
        told.append(incoming(web1, step, procs=procs)._replace(received_at=hour + step * SECOND))
    assert outcomes(together(gatherer, *told)) == ["stored"] * 4
    rows = rawtables.rows(web1.pk, hour, hour + 3 * SECOND)
    assert [changes.is_change(row.procs) for row in rows] == [False, True, True]
    assert [changes.base_of(row.procs) for row in rows[1:]] == [row.key for row in rows[:2]]
    found = past.tables(web1.pk, hour, hour + 3 * SECOND)
    assert [table.procs for table in found] == [proctable.unpack(one.processes.whole) for one in told[1:]]
    assert [row.raw_ts for row in Newest.objects.order_by("server__agent_id")] == [9, 2]


def test_late_ones_of_a_batch_have_their_hours_done_again(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    together(gatherer, incoming(web1, 2), incoming(db1, 2))
    late = incoming(web1, 1, 1, sentAt=3601)
    assert outcomes(together(gatherer, late, incoming(db1, 3, 1))) == ["late", "stored"]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM servers_latehour WHERE server_id = ANY(%s) RETURNING *", [[web1.pk, db1.pk]])
        assert cursor.fetchall() == [(web1.pk, (NOW - 3599 * SECOND).replace(minute=0, second=0, microsecond=0))]


def test_the_same_report_twice_in_one_batch_is_stored_once(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    same = incoming(web1)
    assert sorted(outcomes(together(gatherer, same, incoming(db1), same))) == ["duplicate", "stored", "stored"]
    assert outcomes(together(gatherer, same)) == ["duplicate"]
    assert Newest.objects.get(server=web1).seq == 1
    assert commits() == [2]


def test_one_that_cannot_be_stored_fails_alone(
    gatherer: Gatherer, web1: Server, web2: Server, db1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listen(server: Server, *_rest: object) -> None:
        if server == web2:
            Newest.objects.filter(server=web2).update(top_name="x" * 1000)

    monkeypatch.setattr(ingest, "LISTENERS", [listen])
    ends = together(gatherer, *(incoming(one, leases=[]) for one in (web1, web2, db1)))
    assert outcomes(ends) == ["stored", "DataError", "stored"]
    assert set(Newest.objects.values_list("server", flat=True)) == {web1.pk, db1.pk}
    assert sum(commits()) == 2


def test_a_server_that_is_removed_meanwhile_fails_alone(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    removed = Server(pk=db1.pk, agent_id=db1.agent_id, token_hash=db1.token_hash, allowed_networks=[])
    db1.delete()
    assert outcomes(together(gatherer, incoming(removed), incoming(web1))) == ["Gone", "stored"]


def test_one_of_another_time_makes_its_partition(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    far = incoming(web1)._replace(received_at=NOW + timedelta(days=70))
    assert outcomes(together(gatherer, far, incoming(db1))) == ["stored"] * 2
    assert Newest.objects.get(server=web1).sampled_at == NOW + timedelta(days=70)


def test_an_agent_that_leaves_takes_no_other_with_it(gatherer: Gatherer, web1: Server, db1: Server) -> None:
    async def one_leaves() -> Stored:
        leaving = asyncio.ensure_future(gatherer.store(incoming(web1)))
        staying = asyncio.ensure_future(gatherer.store(incoming(db1)))
        await asyncio.sleep(0)
        leaving.cancel()
        return await staying

    assert asyncio.run(one_leaves()).outcome == "stored"
    assert Newest.objects.count() == 2


def test_one_announcement_tells_of_all(
    gatherer: Gatherer, web1: Server, db1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[list[str]] = []
    monkeypatch.setattr(live, "_send", sent.append)
    together(gatherer, incoming(web1), incoming(db1, services=[]))
    topics = {f"{kind}:{server.pk}" for kind in ("row", "server") for server in (web1, db1)}
    assert [set(one) for one in sent] == [topics | {"fleet:all", f"services:{db1.pk}"}]


def test_more_than_can_wait_are_told_to_come_again(
    gatherer: Gatherer, web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "MOST_WAITING", 2)
    ends = together(gatherer, *(incoming(web1, ts) for ts in range(4)))
    assert outcomes(ends) == ["stored", "stored", "Problem", "Problem"]
    assert isinstance(ends[3], problems.Problem)
    assert (ends[3].status_code, ends[3].headers) == (503, {"Retry-After": "5"})


def sent(server: Server, body: bytes, encoding: str = "") -> Sent:
    return Sent(server, body, encoding, NOW, "10.0.0.1")


def test_what_came_is_decoded_and_stored_with_what_was_read_before(
    gatherer: Gatherer, web1: Server, db1: Server
) -> None:
    came = sent(db1, zipped(report(agentId=db1.agent_id)), "gzip")
    assert outcomes(together(gatherer, incoming(web1), came)) == ["stored"] * 2
    assert set(Newest.objects.values_list("server", flat=True)) == {web1.pk, db1.pk}


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"{", ""),
        (b"no gzip", "gzip"),
        (b"{}", "br"),
        (json.dumps(report(procs=1)).encode(), ""),
        (json.dumps(report(agentId="another")).encode(), ""),
        (json.dumps(report(hostname="\0")).encode(), ""),  # good, but it has to be read in another way
    ],
)
def test_what_is_not_plain_is_given_back_and_the_others_stored(
    gatherer: Gatherer, web1: Server, db1: Server, body: bytes, encoding: str
) -> None:
    assert outcomes(together(gatherer, sent(web1, body, encoding), incoming(db1))) == ["NotPlain", "stored"]


def test_what_cannot_even_be_looked_at_fails_alone(
    gatherer: Gatherer, web1: Server, db1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_sent: Sent) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(intake, "read", broken)
    assert outcomes(together(gatherer, sent(web1, b"{}"), incoming(db1))) == ["KeyError", "stored"]


def test_a_busy_hub_gathers_longer_and_a_quiet_one_again_shortly(gatherer: Gatherer) -> None:
    fleet = [enrolled(f"srv-{number}")[0] for number in range(10)]
    assert gatherer.gather_sec() == gathering.GATHER_SEC
    together(gatherer, *map(incoming, fleet[:3]))
    assert gatherer.gather_sec() == 3 * gathering.GATHER_SEC
    together(gatherer, *map(incoming, fleet))
    assert gatherer.gather_sec() == gathering.LONGEST_SEC
    together(gatherer, incoming(fleet[0], 2))
    assert gatherer.gather_sec() == gathering.GATHER_SEC
