"""A process table as what is other than in the table before it; docs/history-format.md describes the bytes.

Of 500 processes a few come and go and some hundred move in ten seconds: that is a twentieth of the whole table.
A changed table can be read only after the one it is based on, so once in a while a whole one begins a new chain.
"""

from __future__ import annotations

import struct
from datetime import datetime
from itertools import accumulate, compress, count
from operator import add, ne, sub
from typing import Any, Final, NamedTuple

from zstandard import DICT_TYPE_RAWCONTENT, ZstdCompressionDict, ZstdCompressor, ZstdDecompressor

from servers.alignment import gone_and_new, inserted, without
from servers.chunks.samples import micros, moment_of
from servers.columns import Decimals, NotDecimal, Reader, Writer
from servers.proctable import Table

VERSION: Final = b"\x03"  # whole tables have the versions of proctable.py
CPU_SCALE, MEM_SCALE = 10, 100  # as agents round them; other numbers are stored as they are
REMEMBERED: Final = 50_000  # codes, of each scale; and numbers
_ts = struct.Struct("<d")
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
    head.bytes += _ts.pack(base.ts)
    gone, new = gone_and_new(before.stays, after.stays)
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
        inserted(without(before.stays, gone), new, lines),
        _read_numbers(reader, without(before.cpu, gone), new),
        _read_numbers(reader, without(before.mem_mb, gone), new),
        _read_column(reader, without(before.status, gone), new),
        _read_column(reader, without(before.threads, gone), new),
    )


def _texts(before: Table) -> ZstdCompressionDict:
    """New lines are mostly like those there are."""
    return ZstdCompressionDict(b"\n".join(before.stays), dict_type=DICT_TYPE_RAWCONTENT)


def _others(
    writer: Writer, old: list[Any], now: list[Any], gone: list[int], new: list[int]
) -> tuple[list[Any], list[Any]]:
    """Write which of those that stayed have another value; what was before and is now, of them and of the new ones."""
    old, stayed = without(old, gone), without(now, new)
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
        differences = list(map(sub, map(codes.__getitem__, now), map(codes.__getitem__, old)))
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
        codes, numbers = _codes_of(scale), _numbers_of(scale)
        old = [values[place] for place in others] + [None] * len(new)
        read = list(map(numbers.__getitem__, map(add, map(codes.__getitem__, old), reader.ints(len(old)))))
    return _changed(values, others, new, read)


def _codes_of(scale: int) -> Decimals:
    """The same numbers come again and again, so their codes are kept, within bounds."""
    if len(_codes[scale]) > REMEMBERED:
        _codes[scale] = Decimals(scale)
    return _codes[scale]


class _Numbers(dict[int, Number]):
    """The number of each code, as they are asked for: the way back of columns.Decimals."""

    def __init__(self, scale: int) -> None:
        super().__init__({0: None})
        self.scale = scale

    def __missing__(self, code: int) -> float:
        self[code] = number = (code - 1) / self.scale
        return number


_numbers = {scale: _Numbers(scale) for scale in _codes}


def _numbers_of(scale: int) -> _Numbers:
    if len(_numbers[scale]) > REMEMBERED:
        _numbers[scale] = _Numbers(scale)
    return _numbers[scale]


def _read_column(reader: Reader, values: list[Any], new: list[int]) -> list[Any]:
    others = _read_places(reader)
    size = len(others) + len(new)
    return _changed(values, others, new, reader.column(size).stretch(0, size))


def _changed(values: list[Any], others: list[int], new: list[int], read: list[Any]) -> list[Any]:
    for place, value in zip(others, read, strict=False):
        values[place] = value
    return inserted(values, new, read[len(others) :])


def _read_base(reader: Reader) -> Base:
    sampled_at = moment_of(reader.number())
    return Base(sampled_at, _ts.unpack(reader.take(_ts.size))[0])


def _write_places(writer: Writer, places: list[int]) -> None:
    """Rising places: their number, the first, and the gaps."""
    writer.number(len(places))
    writer.ints(places[:1] + list(map(sub, places[1:], places)))


def _read_places(reader: Reader) -> list[int]:
    return list(accumulate(reader.ints(reader.number())))
