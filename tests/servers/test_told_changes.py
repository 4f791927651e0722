"""What a report tells as changes is stored as if it had told all."""

from __future__ import annotations

import gc
import sys
from datetime import timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmonitor.problems import Problem
from servers import changes, ingest, past, proctable, report_rows, told_changes, watching
from servers.ingest import Incoming
from servers.models import Newest, Server
from servers.outlines import Base, Known, Remembered
from servers.wire import Changes, Proc, Report
from tests.servers.reports import report
from tests.servers.samples import T0, histories, proc, quarter
from tests.servers.telling import changes_of

BASE = Base(T0, 1.5)
TEN = timedelta(seconds=10)


def known(procs: list[Proc]) -> Known:
    told = report_rows.processes_of(procs)
    return Known(BASE, told.whole, told.outline)


@settings(max_examples=150, deadline=None)
@given(histories())
def test_changes_are_as_good_as_the_whole(tables: list[list[Proc]]) -> None:
    for before, after in pairwise(tables):
        base, whole = known(before), report_rows.processes_of(after)
        told = msgspec.json.decode(msgspec.json.encode(changes_of(before, after)), type=Changes)
        found = told_changes.changed(base, told)
        assert found[:4] == whole[:4]
        assert found.base == BASE
        assert changes.apply(proctable.unpack_table(base.whole), found.change) == whole.table


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_and_take_the_same_bytes_when_processes_come_go_and_move(seed: int) -> None:
    for before, after in pairwise(quarter(seed, T0).values()):
        base, whole = known(before), report_rows.processes_of(after)
        found = told_changes.changed(base, changes_of(before, after))
        assert whole.table is not None
        other = changes.difference(base.outline, whole.outline)
        assert found.change == changes.pack(BASE, other, whole.table, whole.outline)


def test_reading_reports_leaves_nothing_in_memory() -> None:
    tables = list(quarter(1, T0).values())[:2]
    whole, told = msgspec.json.encode(tables[0]), msgspec.json.encode(changes_of(*tables))

    def read() -> int:
        for _ in range(200):
            base = known(msgspec.json.decode(whole, type=list[Proc]))
            told_changes.changed(base, msgspec.json.decode(told, type=Changes))
        gc.collect()
        return sys.getallocatedblocks()

    read()  # what is kept for good, such as codes of numbers
    before = read()
    assert read() < before + 100


def test_a_base_stays_as_it_was() -> None:
    base = known([proc(1), proc(2, cpu=3.0)])
    copy = [list(column) for column in base.outline]
    told_changes.changed(base, Changes(1, gone=[0], moved=[0], cpu=[None], mem_mb=[1.0], status=["idle"], threads=[2]))
    assert [list(column) for column in base.outline] == copy


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        (Changes(2, gone=[2]), {"changes.gone": "expected rising places below 2", "changes.count": None}),
        (Changes(0, gone=[1, 0]), {"changes.gone": "expected rising places below 2"}),
        (Changes(0, gone=[0, 0]), {"changes.gone": "expected rising places below 2"}),
        (Changes(3, new=[3], procs=[proc(3)]), {"changes.new": "expected rising places below 3"}),
        (Changes(3, new=[2]), {"changes.procs": "expected 1, one for each place of new, got 0"}),
        (
            Changes(2, moved=[1], cpu=[1.0], status=["idle"], threads=[1]),
            {"changes.memMB": "expected 1, one for each place of moved, got 0"},
        ),
        (
            Changes(3, new=[2], procs=[proc(3)], moved=[2], cpu=[1], mem_mb=[1], status=["idle"], threads=[1]),
            {"changes.moved": "expected none of the places of new"},
        ),
        (Changes(3), {"changes.count": "expected 2, as the base has 2, got 3"}),
    ],
)
@pytest.mark.django_db
def test_what_does_not_fit_its_base_is_named(web1: Server, told: Changes, wrong: dict[str, str | None]) -> None:
    store(web1, 0, [proc(1), proc(2)])
    with pytest.raises(Problem) as problem:
        send(web1, 1, changes=told, base=ts(0))
    assert problem.value.status_code == 400
    assert problem.value.fields is not None
    assert problem.value.fields.keys() == wrong.keys()
    assert all(why is None or problem.value.fields[name] == why for name, why in wrong.items())


def ts(number: int) -> float:
    return 1_795_411_423.511 + 10 * number


def send(server: Server, number: int, **facts: Any) -> Incoming:
    """A report sampled then, as it comes to the hub."""
    body = report(agentId=server.agent_id, ts=ts(number), procsTotal=9) | facts
    if "changes" in facts:
        del body["procs"]
    sent = msgspec.convert(msgspec.to_builtins(body), Report)
    return ingest.incoming(server, sent, T0 + number * TEN)


def store(server: Server, number: int, procs: list[Proc], **facts: Any) -> ingest.Stored:
    (stored,) = ingest.store_all([send(server, number, procs=procs, **facts)])
    assert isinstance(stored, ingest.Stored)
    return stored


def tell(server: Server, number: int, before: list[Proc], after: list[Proc], base: int) -> ingest.Stored:
    (stored,) = ingest.store_all([send(server, number, changes=changes_of(before, after), base=ts(base))])
    assert isinstance(stored, ingest.Stored)
    return stored


TABLES = list(quarter(4, T0).values())[:6]


@pytest.mark.django_db
@pytest.mark.parametrize("remembers", [True, False])
def test_reports_that_build_on_each_other_are_the_newest_table_and_history(
    web1: Server, monkeypatch: pytest.MonkeyPatch, remembers: bool
) -> None:
    assert store(web1, 0, TABLES[0]).base == ts(0)
    for number, (before, after) in enumerate(pairwise(TABLES), 1):
        if not remembers:
            monkeypatch.setattr(report_rows, "TABLES", Remembered())  # another web process took the one before
        assert tell(web1, number, before, after, number - 1).base == ts(number)
        assert proctable.unpack(Newest.objects.get(server=web1).procs) == after
    found = list(past.tables(web1.pk, T0, T0 + 6 * TEN))
    assert [one.procs for one in found] == TABLES
    assert {one.procs_total for one in found} == {9}


@pytest.mark.django_db
def test_a_base_that_is_not_the_newest_is_refused_and_nothing_is_stored(web1: Server) -> None:
    store(web1, 0, TABLES[0])
    store(web1, 1, TABLES[1])
    for base in (ts(0), ts(7)):
        with pytest.raises(Problem) as problem:
            send(web1, 2, changes=changes_of(TABLES[0], TABLES[2]), base=base)
        assert problem.value.status_code == 409
        assert list(problem.value.fields or {}) == ["base"]
    assert proctable.unpack(Newest.objects.get(server=web1).procs) == TABLES[1]


@pytest.mark.django_db
def test_another_servers_base_is_none(web1: Server, web2: Server) -> None:
    store(web1, 0, TABLES[0])
    with pytest.raises(Problem) as problem:
        send(web2, 1, changes=changes_of(TABLES[0], TABLES[1]), base=ts(0))
    assert problem.value.status_code == 409


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"base": 1.5}, "procs"),
        ({"changes": Changes(0)}, "procs"),
        ({}, "procs"),
    ],
)
def test_a_report_says_all_or_changes_of_a_base(web1: Server, facts: dict[str, Any], field: str) -> None:
    body = report(agentId=web1.agent_id)
    del body["procs"]
    with pytest.raises(Problem) as problem:
        ingest.incoming(web1, msgspec.convert(msgspec.to_builtins(body | facts), Report), T0)
    assert (problem.value.status_code, list(problem.value.fields or {})) == (400, [field])


@pytest.mark.django_db
def test_while_a_server_is_watched_what_comes_between_builds_on_the_last_usual_one(web1: Server) -> None:
    store(web1, 0, TABLES[0])
    Newest.objects.filter(server=web1).update(watched_until=T0 + 60 * TEN, interval_sec=2)
    quick = timedelta(seconds=2) / TEN
    assert watching.usual() == 10
    between = tell(web1, quick, TABLES[0], TABLES[1], 0)  # type: ignore[arg-type]  # a fifth of the way
    assert (between.between, between.base) == (True, None)
    assert proctable.unpack(Newest.objects.get(server=web1).procs) == TABLES[1]
    assert tell(web1, 1, TABLES[0], TABLES[2], 0).base == ts(1)
    assert [one.procs for one in past.tables(web1.pk, T0, T0 + 2 * TEN)] == [TABLES[0], TABLES[2]]


@pytest.mark.django_db
def test_a_late_report_is_no_base(web1: Server) -> None:
    store(web1, 1, TABLES[1])
    late = send(web1, 0, procs=TABLES[0], sentAt=ts(1))
    (stored,) = ingest.store_all([late._replace(received_at=T0 + TEN)])
    assert isinstance(stored, ingest.Stored)
    assert (stored.outcome, stored.base) == (ingest.LATE, None)
    assert tell(web1, 2, TABLES[1], TABLES[2], 1).base == ts(2)
