"""A process table as what is other than in the table before it; docs/history-format.md describes the bytes.

Of 500 processes a few come and go and some hundred move in ten seconds: that is a twentieth of the whole table.
A changed table can be read only after the one it is based on, so once in a while a whole one begins a new chain.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate, compress, count
from operator import add, ne, sub
from typing import Any, Final, Generic, NamedTuple, TypeVar

from zstandard import DICT_TYPE_RAWCONTENT, ZstdCompressionDict, ZstdCompressor, ZstdDecompressor

from servers.alignment import gone_and_new, inserted, without
from servers.chunks.samples import micros, moment_of
from servers.columns import Decimals, NotDecimal, Reader, Writer
from servers.outlines import UNKNOWN, Base, Outline, number
from servers.proctable import Table

FIRST, VERSION = b"\x03", b"\x04"  # rows of hub 0.3 and before may still be the first; whole tables: proctable.py
ALIKE: Final = 64  # lines that a change's new ones are mostly like; a longer dictionary saves next to nothing
CPU_SCALE, MEM_SCALE = 10, 100  # as agents round them; other numbers are stored as they are
REMEMBERED: Final = 50_000  # codes, of each scale; and numbers
_ts = struct.Struct("<d")
Number = float | None
T = TypeVar("T")


class Others(NamedTuple, Generic[T]):
    """A column of those that stayed and have another value: their places among them, what it was and what it is."""

    places: list[int]
    before: Sequence[T | None]
    after: Sequence[T]


class Difference(NamedTuple):
    """What is other in a table than in the one before; gone: places there, new: places here, both rising."""

    gone: list[int]
    new: list[int]
    cpu: Others[float]  # as in outlines
    mem_mb: Others[float]
    status: Others[str]
    threads: Others[int | None]


def is_change(data: bytes) -> bool:
    """Whether these bytes are a change, and no whole table."""
    return data[:1] in (FIRST, VERSION)


def base_of(data: bytes) -> Base:
    """The row that a change builds on."""
    return _read_base(Reader(data[1:]))


def difference(before: Outline, after: Outline) -> Difference:
    """What is other than before, place by place."""
    gone, new = gone_and_new(before.lines, after.lines)
    return Difference(
        gone,
        new,
        _others(before.cpu, after.cpu, gone, new),
        _others(before.mem_mb, after.mem_mb, gone, new),
        _others(before.status, after.status, gone, new),
        _others(before.threads, after.threads, gone, new),
    )


def pack(base: Base, other: Difference, table: Table, after: Outline) -> bytes:
    """What is other in the table, with its outline, than in the base's."""
    return pack_lines(base, other, [table.stays[place] for place in other.new], _last(table.stays, other.new), after)


def pack_lines(base: Base, other: Difference, added: Sequence[bytes], like: bytes, after: Outline) -> bytes:
    """The same, told of its lines only the new ones and the last ALIKE of those that stayed, as one text."""
    head, writer, new = Writer(), Writer(), other.new
    head.number(micros(base.sampled_at))
    head.bytes += _ts.pack(base.ts)
    _write_places(head, other.gone)
    _write_places(head, new)
    writer.texts(added)
    _write_numbers(writer, other.cpu, [after.cpu[place] for place in new], CPU_SCALE)
    _write_numbers(writer, other.mem_mb, [after.mem_mb[place] for place in new], MEM_SCALE)
    _write_places(writer, other.status.places)
    writer.words([*other.status.after, *(after.status[place] for place in new)])
    _write_places(writer, other.threads.places)
    writer.whole([*other.threads.after, *(after.threads[place] for place in new)])
    packed: bytes = ZstdCompressor(level=1, dict_data=_like(like)).compress(bytes(writer.bytes))
    return VERSION + bytes(head.bytes) + packed


def apply(before: Table, data: bytes) -> Table:
    """The table after a change."""
    gone, new, stays, reader = _stays(before.stays, data)
    return Table(
        stays,
        _read_numbers(reader, without(before.cpu, gone), new),
        _read_numbers(reader, without(before.mem_mb, gone), new),
        _read_column(reader, without(before.status, gone), new),
        _read_column(reader, without(before.threads, gone), new),
    )


def apply_to_lines(before: list[bytes], data: bytes) -> list[bytes]:
    """A table's lines after a change: what stays the same of each process."""
    return _stays(before, data)[2]


def _stays(before: list[bytes], data: bytes) -> tuple[list[int], list[int], list[bytes], Reader]:
    """Which places are gone and new, the lines after the change, and what tells the numbers."""
    head = Reader(data[1:])
    _read_base(head)
    if data[:1] == FIRST:
        reader = _unpacked(head, before)
        gone, new = _read_places(reader), _read_places(reader)
        stayed = without(before, gone)
    else:
        gone, new = _read_places(head), _read_places(head)
        stayed = without(before, gone)
        reader = _unpacked(head, stayed[-ALIKE:])
    return gone, new, inserted(stayed, new, [line.encode() for line in reader.strings()]), reader


def _unpacked(head: Reader, like: list[bytes]) -> Reader:
    return Reader(ZstdDecompressor(dict_data=_like(b"\n".join(like))).decompress(head.rest()))


def _like(lines: bytes) -> ZstdCompressionDict:
    """New lines are mostly like those there are."""
    return ZstdCompressionDict(lines, dict_type=DICT_TYPE_RAWCONTENT)


def _last(stays: list[bytes], new: list[int]) -> bytes:
    """The last lines of those that stayed."""
    first = max(0, len(stays) - ALIKE - len(new))
    return b"\n".join(without(stays[first:], [place - first for place in new if place >= first])[-ALIKE:])


def _others(before: Sequence[T], after: Sequence[T], gone: list[int], new: list[int]) -> Others[T]:
    old, stayed = without(before, gone), without(after, new)
    places = [] if old == stayed else list(compress(count(), map(ne, old, stayed)))
    return Others(places, [old[place] for place in places], [stayed[place] for place in places])


def _write_numbers(writer: Writer, others: Others[float], new: list[float], scale: int) -> None:
    """An outline's numbers as differences to what was before, where all are decimals."""
    _write_places(writer, others.places)
    old, now, codes = [*others.before, *[None] * len(new)], [*others.after, *new], _codes_of(scale)
    try:
        differences = list(map(sub, map(codes.__getitem__, now), map(codes.__getitem__, old)))
    except NotDecimal:
        writer.number(0)
        writer.numbers(list(map(number, now)))
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


def _no_codes(scale: int) -> Decimals:
    codes = Decimals(scale)
    codes[UNKNOWN] = codes[None]
    return codes


_codes = {scale: _no_codes(scale) for scale in (CPU_SCALE, MEM_SCALE)}


def _codes_of(scale: int) -> Decimals:
    """The same numbers come again and again, so their codes are kept, within bounds."""
    if len(_codes[scale]) > REMEMBERED:
        _codes[scale] = _no_codes(scale)
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
