"""Process tables at rest."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers import proctable
from servers.wire import Proc

WHOLE = st.none() | st.integers(0, 2**31 - 1)
PROCS = st.builds(
    Proc,
    name=st.text(max_size=30),
    pid=st.integers(0, 2**31 - 1),
    cpu=st.none() | st.floats(0, 1e6),
    mem_mb=st.floats(0, 1e12),
    status=st.text(max_size=10),
    user=st.text(max_size=10),
    cmdline=st.text(max_size=60),
    ppid=WHOLE,
    threads=WHOLE,
    start_ticks=st.none() | st.integers(0, 2**63 - 1),
)


def table(size: int) -> list[Proc]:
    return [
        Proc("worker", pid, 0.1 * (pid % 9), 12.5, "sleeping", "www-data", f"/usr/bin/worker --number {pid}", 1, 4, 99)
        for pid in range(1, size + 1)
    ]


@given(st.lists(PROCS, max_size=20))
def test_what_is_packed_comes_back(procs: list[Proc]) -> None:
    assert proctable.unpack(proctable.pack(procs)) == procs


@given(st.lists(PROCS, max_size=20))
def test_the_lines_are_read_without_the_rest(procs: list[Proc]) -> None:
    assert proctable.lines_of(proctable.pack(procs)) == proctable.table_of(procs).stays


def test_the_lines_of_a_table_of_the_first_version_are_read_too() -> None:
    procs = table(3)
    columns = [[getattr(one, field) for one in procs] for field in proctable.FIELDS]
    first = proctable.COLUMNS + proctable.compressed(json.dumps(columns).encode())
    assert proctable.lines_of(first) == proctable.table_of(procs).stays


def test_every_field_is_packed() -> None:
    assert Proc.__struct_fields__ == proctable.FIELDS


def test_no_processes_and_no_report_yet_are_no_bytes() -> None:
    assert proctable.pack([]) == b""
    assert proctable.unpack(memoryview(b"")) == []


def test_it_is_far_smaller_than_the_report() -> None:
    procs = table(500)
    assert (
        len(proctable.pack(procs)) < len(json.dumps([{"pid": proc.pid, "cmdline": proc.cmdline} for proc in procs])) / 4
    )


def test_an_unknown_version_is_said() -> None:
    with pytest.raises(ValueError, match="unknown version"):
        proctable.unpack(b"\x63" + proctable.pack(table(1))[1:])


def test_many_threads_pack_and_unpack_at_once() -> None:
    procs = table(200)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: proctable.unpack(proctable.pack(procs)) == procs, range(200)))
