"""Chunks give back exactly what was put in, whole or in part."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from servers import proctable
from servers.chunks.read import Chunk
from servers.chunks.samples import Sample
from servers.chunks.write import encode
from servers.columns import Reader, Writer
from servers.wire import Proc
from tests.servers.samples import T0, histories, minute_of, proc, sampled

STEADY = [[proc(pid, cpu=0.1 * (number % 3), mem_mb=number / 100) for pid in range(1, 41)] for number in range(60)]


@settings(max_examples=40, deadline=None)
@given(histories(), st.integers(0, 10**6))
def test_what_is_put_in_comes_out(tables: list[list[Proc]], microseconds: int) -> None:
    samples = sampled(tables, T0 + timedelta(microseconds=microseconds))
    chunk = Chunk(encode(samples))
    assert list(chunk.samples()) == samples
    assert [chunk.at(number) for number in range(chunk.count)] == tables
    assert [chunk.sampled(number) for number in range(chunk.count)] == [sample[:3] for sample in samples]


@settings(max_examples=30, deadline=None)
@given(histories(), st.data())
def test_a_part_is_that_part(tables: list[list[Proc]], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(tables)))
    last = data.draw(st.integers(first, len(tables)))
    samples = sampled(tables)
    assert list(Chunk(encode(samples)).samples(first, last)) == samples[first:last]


@settings(max_examples=60, deadline=None)
@given(histories(), st.data())
def test_peaks_are_those_of_the_samples(tables: list[list[Proc]], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(tables)))
    last = data.draw(st.integers(first, len(tables)))
    chunk = Chunk(encode(sampled(tables)))
    told = [(chunk.rows[peak.row], peak) for peak in chunk.peaks(range(len(chunk.rows)), first, last)]
    for stays in set(chunk.rows):
        there = [(number, one) for number, table in enumerate(tables) for one in table if stays_of(one) == stays]
        there = [(number, one) for number, one in there if first <= number < last]
        peaks = [peak for of, peak in told if of == stays]
        assert bool(there) == bool(peaks)
        if there:
            numbers = {number for number, _one in there}
            assert {number for peak in peaks for number in range(peak.first, peak.last)} == numbers
            assert max((-1 if peak.cpu is None else peak.cpu) for peak in peaks) == max(map(cpu_of, there))
            assert max(peak.mem_mb for peak in peaks) == max(one.mem_mb for _number, one in there)
        for peak in peaks:
            assert (peak.cpu_at, peak.cpu) in [(number, one.cpu) for number, one in there]
            assert (peak.mem_at, peak.mem_mb) in [(number, one.mem_mb) for number, one in there]


def stays_of(one: Proc) -> tuple[object, ...]:
    return tuple(getattr(one, name) for name in proctable.STAYS)


def cpu_of(found: tuple[int, Proc]) -> float:
    return -1 if found[1].cpu is None else found[1].cpu


@settings(max_examples=40, deadline=None)
@given(st.data(), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_some_of_the_numbers_are_those(data: st.DataObject, numbers: list[int]) -> None:
    writer = Writer()
    writer.ints(numbers)
    start = data.draw(st.integers(0, len(numbers)))
    stop = data.draw(st.integers(start, len(numbers)))
    assert list(Reader(bytes(writer.bytes)).planes(len(numbers)).numbers(start, stop)) == numbers[start:stop]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=30))
def test_whole_numbers_of_any_size(numbers: list[int]) -> None:
    writer = Writer()
    writer.ints(numbers)
    assert list(Reader(bytes(writer.bytes)).ints(len(numbers))) == numbers


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.floats(0, 1e15) | st.integers(0, 99).map(float), max_size=30))
def test_numbers_decimal_or_not(numbers: list[float | None]) -> None:
    writer = Writer()
    writer.numbers(numbers)
    assert Reader(bytes(writer.bytes)).column(len(numbers)).stretch(0, len(numbers)) == numbers


def test_nothing_is_a_chunk_too() -> None:
    assert list(Chunk(encode([])).samples()) == []
    assert list(Chunk(encode(sampled([[], []]))).samples()) == sampled([[], []])


def test_a_moment_is_answered_by_the_sample_before() -> None:
    chunk = Chunk(encode(sampled(minute_of(1))))
    seconds = [-1, 0, 9, 10, 55, 999]
    assert [chunk.before(T0 + timedelta(seconds=s)) for s in seconds] == [None, 0, 0, 1, 5, 5]
    assert chunk.times == [T0 + timedelta(seconds=10 * number) for number in range(6)]


def test_a_line_follows_one_process_while_it_was_there_and_not_its_pids_next_owner() -> None:
    tables = [
        [proc(7, start_ticks=1, cpu=None, mem_mb=1.0), proc(8)],
        [proc(7, start_ticks=1, cpu=5.5, mem_mb=2.0)],
        [proc(8)],
        [proc(7, start_ticks=1, cpu=6.5, mem_mb=3.0, ppid=42)],
        [proc(7, start_ticks=2, cpu=99.0, mem_mb=9.0)],
    ]
    chunk = Chunk(encode(sampled(tables)))
    line = [((at - T0).total_seconds(), cpu, mem) for at, cpu, mem in chunk.line(7, 1)]
    assert line == [(0, None, 1.0), (10, 5.5, 2.0), (30, 6.5, 3.0)]
    assert list(chunk.line(7, 3)) == []


def test_it_is_far_smaller_than_the_tables() -> None:
    whole = sum(len(proctable.pack(table)) for table in STEADY)
    assert len(encode(sampled(STEADY))) < whole / 10


def test_what_is_no_chunk_is_said() -> None:
    data = encode(sampled(minute_of(1)))
    with pytest.raises(ValueError, match="unknown version"):
        Chunk(b"\x09" + data[1:])
    with pytest.raises(ValueError, match="unknown kind"):
        Reader(b"\x09").column(1)
    with pytest.raises(ValueError, match="wanted"):
        Reader(b"\x01\x02").ints(3)


def test_the_same_sample_of_two_servers_is_the_same_bytes() -> None:
    samples = sampled(minute_of(3))
    assert encode(samples) == encode([Sample(*sample) for sample in samples])
