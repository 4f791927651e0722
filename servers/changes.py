"""A process table as what is other than in the table before it; docs/history-format.md describes the bytes.

Of 500 processes a few come and go and some hundred move in ten seconds: that is a twentieth of the whole table.
A changed table can be read only after the one it is based on, so once in a while a whole one begins a new chain.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import accumulate, compress, count
from operator import add, ne, sub
from typing import Any, Final, TypeVar

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


def is_change(data: bytes) -> bool:
    """Whether these bytes are a change, and no whole table."""
    return data[:1] in (FIRST, VERSION)


def base_of(data: bytes) -> Base:
    """The row that a change builds on."""
    return _read_base(Reader(data[1:]))


def pack(base: Base, before: Outline, table: Table, after: Outline) -> bytes:
    """What is other in the table, with its outline, than in the one before."""
    head, writer = Writer(), Writer()
    head.number(micros(base.sampled_at))
    head.bytes += _ts.pack(base.ts)
    gone, new = gone_and_new(before.lines, after.lines)
    _write_places(head, gone)
    _write_places(head, new)
    writer.strings([table.stays[place].decode() for place in new])
    _write_numbers(writer, *_others(writer, before.cpu, after.cpu, gone, new), CPU_SCALE)
    _write_numbers(writer, *_others(writer, before.mem_mb, after.mem_mb, gone, new), MEM_SCALE)
    writer.words(_others(writer, before.status, after.status, gone, new)[1])
    writer.whole(_others(writer, before.threads, after.threads, gone, new)[1])
    like = _texts(without(table.stays, new)[-ALIKE:])
    packed: bytes = ZstdCompressor(level=1, dict_data=like).compress(bytes(writer.bytes))
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
    return Reader(ZstdDecompressor(dict_data=_texts(like)).decompress(head.rest()))


def _texts(lines: list[bytes]) -> ZstdCompressionDict:
    """New lines are mostly like those there are."""
    return ZstdCompressionDict(b"\n".join(lines), dict_type=DICT_TYPE_RAWCONTENT)


def _others(
    writer: Writer, before: Sequence[T], after: Sequence[T], gone: list[int], new: list[int]
) -> tuple[list[T | None], list[T]]:
    """Write which of those that stayed have another value; what was before and is now, of them and of the new ones."""
    old, stayed = without(before, gone), without(after, new)
    others = [] if old == stayed else list(compress(count(), map(ne, old, stayed)))
    _write_places(writer, others)
    return (
        [*(old[place] for place in others), *[None] * len(new)],
        [*(stayed[place] for place in others), *(after[place] for place in new)],
    )


def _write_numbers(writer: Writer, old: Sequence[Number], now: Sequence[float], scale: int) -> None:
    """An outline's numbers as differences to what was before, where all are decimals."""
    codes = _codes_of(scale)
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
