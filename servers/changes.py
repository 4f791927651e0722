"""A process table as what is other than in the table before it; docs/history-format.md describes the bytes.

Of 500 processes a few come and go and some hundred move in ten seconds: that is a twentieth of the whole table.
A changed table can be read only after the one it is based on, so once in a while a whole one begins a new chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import compress, count, pairwise
from operator import ne
from typing import Any, Final, NamedTuple

from zstandard import DICT_TYPE_RAWCONTENT, ZstdCompressionDict, ZstdCompressor, ZstdDecompressor

from servers.chunks.samples import micros, moment_of
from servers.columns import Decimals, NotDecimal, Reader, Writer
from servers.proctable import Table

VERSION: Final = b"\x03"  # whole tables have the versions of proctable.py
CPU_SCALE, MEM_SCALE = 10, 100  # as agents round them; other numbers are stored as they are
STRETCH: Final = 64  # so many lines are compared at once
REMEMBERED: Final = 50_000  # codes, of each scale
_codes = {scale: Decimals(scale) for scale in (CPU_SCALE, MEM_SCALE)}
Number = float | None


class Base(NamedTuple):
    """The raw row that a change builds on, by the rest of its key."""

    sampled_at: datetime
    ts: float


def is_change(data: bytes) -> bool:
    """Whether these bytes are a change, and no whole table."""
    return data[:1] == VERSION


def base_of(data: bytes) -> Base:
    """The row that a change builds on."""
    return _read_base(Reader(data[1:]))


def pack(base: Base, before: Table, after: Table) -> bytes:
    """What is other after than before."""
    head, writer = Writer(), Writer()
    head.number(micros(base.sampled_at))
    head.numbers([base.ts])
    gone, new = _gone_and_new(before.stays, after.stays)
    _write_places(writer, gone)
    _write_places(writer, new)
    writer.strings([after.stays[place].decode() for place in new])
    _write_numbers(writer, *_others(writer, before.cpu, after.cpu, gone, new), CPU_SCALE)
    _write_numbers(writer, *_others(writer, before.mem_mb, after.mem_mb, gone, new), MEM_SCALE)
    writer.words(_others(writer, before.status, after.status, gone, new)[1])
    writer.whole(_others(writer, before.threads, after.threads, gone, new)[1])
    packed: bytes = ZstdCompressor(level=1, dict_data=_texts(before)).compress(bytes(writer.bytes))
    return VERSION + bytes(head.bytes) + packed


def apply(before: Table, data: bytes) -> Table:
    """The table after a change."""
    head = Reader(data[1:])
    _read_base(head)
    reader = Reader(ZstdDecompressor(dict_data=_texts(before)).decompress(head.rest()))
    gone, new = _read_places(reader), _read_places(reader)
    lines = [line.encode() for line in reader.strings()]
    return Table(
        _with(_without(before.stays, gone), new, lines),
        _read_numbers(reader, _without(before.cpu, gone), new),
        _read_numbers(reader, _without(before.mem_mb, gone), new),
        _read_column(reader, _without(before.status, gone), new),
        _read_column(reader, _without(before.threads, gone), new),
    )


def _texts(before: Table) -> ZstdCompressionDict:
    """New lines are mostly like those there are."""
    return ZstdCompressionDict(b"\n".join(before.stays), dict_type=DICT_TYPE_RAWCONTENT)


def _gone_and_new(before: list[bytes], after: list[bytes]) -> tuple[list[int], list[int]]:
    """The places of the lines that are not there any more, and of those that are new; what is moved is both."""
    gone, new, old_place, place = [], [], 0, 0
    while True:
        same = _same(before, old_place, after, place)
        old_place, place = old_place + same, place + same
        if old_place == len(before):
            return gone, new + list(range(place, len(after)))
        if before[old_place] in after[place : place + STRETCH]:
            new.append(place)
            place += 1
        else:
            gone.append(old_place)
            old_place += 1


def _same(before: list[bytes], old_place: int, after: list[bytes], place: int) -> int:
    """How many lines are the same from there on; whole stretches are compared at once."""
    same, most = 0, min(len(before) - old_place, len(after) - place)
    while same < most:
        old, now = old_place + same, place + same
        if before[old : old + STRETCH] != after[now : now + STRETCH]:
            return same + next(
                (number for number in range(min(STRETCH, most - same)) if before[old + number] != after[now + number]),
                most - same,
            )
        same += STRETCH
    return most


def _others(
    writer: Writer, old: list[Any], now: list[Any], gone: list[int], new: list[int]
) -> tuple[list[Any], list[Any]]:
    """Write which of those that stayed have another value; what was before and is now, of them and of the new ones."""
    old, stayed = _without(old, gone), _without(now, new)
    others = [] if old == stayed else list(compress(count(), map(ne, old, stayed)))
    _write_places(writer, others)
    return (
        [old[place] for place in others] + [None] * len(new),
        [stayed[place] for place in others] + [now[place] for place in new],
    )


def _write_numbers(writer: Writer, old: list[Number], now: list[Number], scale: int) -> None:
    """As differences to what was before, where all are decimals."""
    codes = _codes_of(scale)
    try:
        differences = [codes[after] - codes[before] for before, after in zip(old, now, strict=True)]
    except NotDecimal:
        writer.number(0)
        writer.numbers(now)
    else:
        writer.number(scale)
        writer.ints(differences)


def _read_numbers(reader: Reader, values: list[Any], new: list[int]) -> list[Any]:
    others = _read_places(reader)
    scale = reader.number()
    if not scale:
        read = reader.column(len(others) + len(new)).stretch(0, len(others) + len(new))
    else:
        codes = _codes_of(scale)
        old = [values[place] for place in others] + [None] * len(new)
        sums = [codes[value] + more for value, more in zip(old, reader.ints(len(old)), strict=True)]
        read = [(code - 1) / scale if code else None for code in sums]
    return _changed(values, others, new, read)


def _codes_of(scale: int) -> Decimals:
    """The same numbers come again and again, so their codes are kept, within bounds."""
    if len(_codes[scale]) > REMEMBERED:
        _codes[scale] = Decimals(scale)
    return _codes[scale]


def _read_column(reader: Reader, values: list[Any], new: list[int]) -> list[Any]:
    others = _read_places(reader)
    size = len(others) + len(new)
    return _changed(values, others, new, reader.column(size).stretch(0, size))


def _changed(values: list[Any], others: list[int], new: list[int], read: list[Any]) -> list[Any]:
    for place, value in zip(others, read, strict=False):
        values[place] = value
    return _with(values, new, read[len(others) :])


def _read_base(reader: Reader) -> Base:
    sampled_at = moment_of(reader.number())
    return Base(sampled_at, reader.column(1).stretch(0, 1)[0])


def _write_places(writer: Writer, places: Sequence[int]) -> None:
    """Rising places: their number, the first, and the gaps."""
    writer.number(len(places))
    writer.ints([*places[:1], *(after - before for before, after in pairwise(places))])


def _read_places(reader: Reader) -> list[int]:
    places, last = [], 0
    for gap in reader.ints(reader.number()):
        last += gap
        places.append(last)
    return places


def _without(values: list[Any], places: Sequence[int]) -> list[Any]:
    left = list(values)
    for place in reversed(places):
        del left[place]
    return left


def _with(values: list[Any], places: Sequence[int], new: Sequence[Any]) -> list[Any]:
    for place, value in zip(places, new, strict=True):
        values.insert(place, value)
    return values
