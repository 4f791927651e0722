"""What changed, told and applied as PROTOCOL.md has it, is the whole table, to the byte of each value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.proctable import Process, ProcTable
from agent.tablechanges import MOVING, Table
from tests.agent.fake_proc import write_stat
from tests.agent.toyhub import told_by_changes

STAYING = ("name", "pid", "startTicks", "user", "cmdline", "ppid")


class Seen(NamedTuple):
    """A process in one sample."""

    pid: int
    start: int
    parent: int
    cpu: str
    mem: str
    status: str
    threads: str


SEEN = st.builds(
    Seen,
    st.integers(1, 12),
    st.integers(0, 1),  # few, so that a pid comes again as the same one and as another
    st.integers(0, 1),
    st.sampled_from(["null", "0.0", "12.5"]),
    st.sampled_from(["0.00", "10.20"]),
    st.sampled_from(['"sleeping"', '"running"']),
    st.sampled_from(["1", "5"]),
)
LISTS = st.lists(SEEN, max_size=12, unique_by=lambda seen: seen.pid)
BY_PID = LISTS.map(sorted)  # as /proc has them


def table(listed: list[Seen], known: dict[int, Process]) -> Table:
    """A table of these, in the objects of the sample before where the pid is the same."""
    processes = []
    for seen in listed:
        process = known.setdefault(seen.pid, Process(seen.pid, -1))
        process.stays = f'{{"name":"a,[{{","pid":{seen.pid},"startTicks":{seen.start},"ppid":{seen.parent}'
        process.moves = (seen.cpu, seen.mem, seen.status, seen.threads)
        processes.append(process)
    return Table(processes)


def read(text: str) -> Any:
    return json.loads(text, parse_float=str)  # a number's spelling counts, too


def rising(places: list[int], below: int) -> bool:
    return places == sorted(set(places)) and all(0 <= place < below for place in places)


def proved(now: Table, base: Table) -> dict[str, Any]:
    """What changed, once it is proved to mean the table and to be no more than the protocol says."""
    before, changes = read(base.whole()), read(now.since(base))
    after = told_by_changes(before, changes)
    assert after == read(now.whole())
    assert rising(changes["gone"], len(before))
    assert rising(changes["new"], len(after))
    assert rising(changes["moved"], len(after))
    assert not set(changes["new"]) & set(changes["moved"])
    stayed = [place for place in range(len(after)) if place not in changes["new"]]
    kept = [process for place, process in enumerate(before) if place not in changes["gone"]]
    for place, then in zip(stayed, kept, strict=True):
        assert [then.get(name) for name in STAYING] == [after[place].get(name) for name in STAYING]
        assert (place in changes["moved"]) == any(then[name] != after[place][name] for name in MOVING)
    return dict(changes)


@given(st.lists(st.tuples(BY_PID, st.integers(0, 3)), min_size=2, max_size=6))
def test_each_table_is_told_by_what_changed_since_an_earlier_one(course: list[tuple[list[Seen], int]]) -> None:
    known: dict[int, Process] = {}
    told: list[Table] = []
    for listed, back in course:
        now = table(listed, known)
        if told:
            changes = proved(now, told[max(0, len(told) - 1 - back)])
            assert changes["count"] == len(listed)
        told.append(now)


@given(LISTS, LISTS)
def test_a_list_in_any_other_order_is_told_right(before: list[Seen], after: list[Seen]) -> None:
    proved(table(after, {}), table(before, {}))


@given(BY_PID)
def test_nothing_changed_is_told_in_few_bytes(listed: list[Seen]) -> None:
    known: dict[int, Process] = {}
    base = table(listed, known)
    changes = proved(table(listed, known), base)
    assert {name: value for name, value in changes.items() if value} == ({"count": len(listed)} if listed else {})


STATS = st.dictionaries(st.integers(1, 6), st.tuples(st.integers(1, 2), st.integers(0, 3)), max_size=6)


@settings(max_examples=25)
@given(tables=st.lists(st.tuples(STATS, st.booleans()), min_size=2, max_size=6))
def test_what_was_read_is_told_as_it_was_read(
    tmp_path_factory: pytest.TempPathFactory, tables: list[tuple[dict[int, tuple[int, int]], bool]]
) -> None:
    """On a folder as /proc has them: processes come, go, work and change places with others under their pids."""
    root = tmp_path_factory.mktemp("proc")
    reader, ticks, base = ProcTable(str(root)), 0, Table([])
    for stats, whole in tables:
        for gone in {path.name for path in root.iterdir()} - {str(pid) for pid in stats}:
            removed(root / gone)
        for pid, (start, used) in stats.items():
            ticks += used
            write_stat(root, pid, start=start, ticks=ticks if used else 0, name=f"app-{start}")
        now = Table(reader.sample(whole))
        proved(now, base)
        base = now if whole else base
    for left in reader.sample():
        removed(root / str(left.pid))
    reader.sample()  # so that no descriptor is left


def removed(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
