"""What is remembered of a table, and of how many servers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers import outlines
from servers.outlines import Base, Known, Remembered, outline_of
from servers.proctable import table_of
from servers.wire import Proc
from tests.servers.samples import PROCS, T0, proc

BASE = Base(T0, 1.5)
KNOWN = Known(BASE, b"", outline_of(table_of([proc()])))


@settings(max_examples=50, deadline=None)
@given(st.lists(PROCS, max_size=4), st.lists(PROCS, max_size=4))
def test_two_tables_have_the_same_outline_when_they_are_the_same(one: list[Proc], other: list[Proc]) -> None:
    assert outline_of(table_of(one)) == outline_of(table_of(one))
    assert (outline_of(table_of(one)) == outline_of(table_of(other))) == (table_of(one) == table_of(other))


def test_cpu_that_is_not_known_is_other_than_none_used() -> None:
    unknown, idle = (outline_of(table_of([proc(cpu=cpu), proc(2, cpu=1.0)])) for cpu in (None, 0.0))
    assert unknown.cpu != idle.cpu
    assert list(map(outlines.number, unknown.cpu)) == [None, 1.0]


def test_an_outline_is_known_by_its_very_row_only() -> None:
    known = Remembered()
    assert known.of(1, BASE) is None
    known.remember(1, KNOWN)
    assert known.of(1, BASE) is KNOWN
    assert known.of(2, BASE) is None
    assert known.of(1, Base(T0 + timedelta(microseconds=1), BASE.ts)) is None
    assert known.of(1, Base(T0, 1.25)) is None
    assert (known.told(1, BASE.ts), known.told(1, 1.25), known.told(2, BASE.ts)) == (KNOWN, None, None)


def test_of_a_server_only_the_newest_is_remembered() -> None:
    known = Remembered()
    known.remember(1, KNOWN)
    known.remember(1, KNOWN._replace(base=Base(T0, 2)))
    assert known.of(1, BASE) is None


def test_no_more_are_remembered_than_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlines, "MOST_REMEMBERED", 2)
    known = Remembered()
    for server in (1, 2, 2, 3):
        known.remember(server, KNOWN)
    assert [server for server in (1, 2, 3) if known.of(server, BASE)] == [3]
