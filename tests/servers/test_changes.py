"""A table as what changed since the one before."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from servers import changes, proctable
from servers.outlines import Base, outline_of
from servers.proctable import Table
from servers.wire import Proc
from tests.servers.samples import T0, histories, proc

BASE = Base(T0, 1726147200.123)


def packed(before: Table, after: Table) -> bytes:
    now = outline_of(after)
    return changes.pack(BASE, changes.difference(outline_of(before), now), after, now)


@settings(max_examples=50, deadline=None)
@given(histories())
def test_changes_on_changes_give_every_table(tables: list[list[Proc]]) -> None:
    before = proctable.table_of(tables[0])
    for procs in tables[1:]:
        after = proctable.table_of(procs)
        data = packed(before, after)
        assert changes.is_change(data)
        assert changes.base_of(data) == BASE
        before = changes.apply(before, data)
        assert before == after
        assert proctable.procs_of(before) == procs


def test_what_stays_the_same_costs_next_to_nothing() -> None:
    table = proctable.table_of([proc(pid) for pid in range(1, 501)])
    assert len(packed(table, table)) < 60


def test_a_whole_table_is_no_change() -> None:
    whole = proctable.pack([proc()])
    assert not changes.is_change(whole)
    assert not changes.is_change(b"")


@pytest.mark.parametrize("size", [1, 63, 64, 65, 200])
def test_processes_come_and_go_at_every_place(size: int) -> None:
    procs = [proc(pid) for pid in range(10, 10 + 2 * size, 2)]
    for place in {0, size // 2, size - 1}:
        without = procs[:place] + procs[place + 1 :]
        more = [*procs[:place], proc(procs[place].pid - 1), *procs[place:]]
        for after in (without, more, procs[::-1]):
            table = proctable.table_of(procs)
            assert changes.apply(table, packed(table, proctable.table_of(after))) == proctable.table_of(after)


def test_a_change_of_the_first_form_is_still_read() -> None:
    before = proctable.table_of([proc(1), proc(2, name="sh"), proc(3, cpu=None)])
    after = [proc(1, cpu=1.5), proc(3, mem_mb=0.123), proc(4, name="x", status="running", threads=None)]
    data = bytes.fromhex(
        "0380e0a4a2ddb592033bdf07a0bab8d94128b52ffd204ee50100540301010201010401013e5b2278222c34020100020a011e"
        "020201010200010302f8b2006000000301010e72756e6e696e6700000000000100f012ea"
    )
    assert changes.is_change(data)
    assert changes.base_of(data) == BASE
    assert proctable.procs_of(changes.apply(before, data)) == after
