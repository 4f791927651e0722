"""A process table at rest: a version byte, then zstd over lines of JSON; docs/history-format.md describes it.

A line for each process with what stays the same while it lives, then four lines with what changes: CPU, memory,
status and threads of all of them. So two tables are compared without decoding the texts in them (changes.py).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple
from zstandard import ZstdCompressor, ZstdDecompressor

from servers.wire import Proc

COLUMNS, VERSION = b"\x01", b"\x02"  # the first version had one list a field, which old rows still have
STAYS = ("name", "pid", "user", "cmdline", "ppid", "start_ticks")
MOVES = ("cpu", "mem_mb", "status", "threads")
FIELDS = ("name", "pid", "cpu", "mem_mb", "status", "user", "cmdline", "ppid", "threads", "start_ticks")
_encoder, _decoder = msgspec.json.Encoder(), msgspec.json.Decoder(list[Any])
_own = threading.local()  # zstd's objects are not for two threads at once


class Table(NamedTuple):
    """A process table in columns, in the agent's order."""

    stays: list[bytes]  # a line of JSON a process: the fields STAYS
    cpu: list[float | None]
    mem_mb: list[float]
    status: list[str]
    threads: list[int | None]


def table_of(procs: Sequence[Proc]) -> Table:
    """The processes in columns."""
    if not procs:
        return Table([], [], [], [], [])
    columns = dict(zip(FIELDS, zip(*map(astuple, procs), strict=True), strict=True))
    lines = _joined(list(zip(*(columns[field] for field in STAYS), strict=True)))
    return Table(lines.split(b"\n")[:-1], *(list(columns[field]) for field in MOVES))


def procs_of(table: Table) -> list[Proc]:
    """The columns as processes."""
    return _procs([*_decoder.decode_lines(b"\n".join(table.stays)), *table[1:]])


def _procs(lines: list[Any]) -> list[Proc]:
    *stays, cpu, mem_mb, statuses, threads = lines
    return [
        Proc(name, pid, percent, mem, status, user, cmdline, ppid, many, ticks)
        for (name, pid, user, cmdline, ppid, ticks), percent, mem, status, many in zip(
            stays, cpu, mem_mb, statuses, threads, strict=True
        )
    ]


def line_of(stays: Sequence[Any]) -> bytes:
    """The line of JSON of one process: the values of STAYS."""
    return _encoder.encode(stays)


def name_of(line: bytes) -> str:
    """The name in a process's line."""
    name: str = _decoder.decode(line)[0]
    return name


def pack_table(table: Table) -> bytes:
    """The table as bytes; no processes are no bytes."""
    return VERSION + compressed(_text(table)) if table.stays else b""


def pack_text(stays: bytes, moves: list[Any]) -> bytes:
    """A table as bytes, as pack_table makes them: its lines as one text, each with its end, and the columns MOVES."""
    return VERSION + compressed(stays + _joined(moves)) if stays else b""


def unpack_table(data: bytes | memoryview) -> Table:
    """The table as it was packed."""
    data = bytes(data)
    if not data or data[:1] == COLUMNS:
        return table_of(unpack(data))
    *stays, cpu, mem_mb, status, threads, _end = _lines(data).split(b"\n")
    return Table(stays, *map(msgspec.json.decode, (cpu, mem_mb, status, threads)))


def stays_of(data: bytes) -> bytes:
    """A packed table's lines of what stays the same, as one text, each with its end."""
    if not data or data[:1] == COLUMNS:
        return b"".join([line + b"\n" for line in unpack_table(data).stays])
    text = _lines(data)
    end = len(text) - 1
    for _column in MOVES:
        end = text.rfind(b"\n", 0, end)
    return text[: end + 1]


def lines_of(data: bytes) -> list[bytes]:
    """A packed table's lines: what stays the same of each process."""
    return stays_of(data).split(b"\n")[:-1]


def text_of(data: bytes | memoryview) -> bytes:
    """A packed table's lines, each with its end: one a process with STAYS, then one for each of MOVES."""
    data = bytes(data)
    return _lines(data) if data[:1] == VERSION else _text(unpack_table(data))


def _text(table: Table) -> bytes:
    return b"\n".join([*table.stays, _joined(list(table[1:]))])


def _joined(values: list[Any]) -> bytes:
    """A line of JSON for each. Of what is no list, msgspec 0.22 keeps a reference for ever."""
    return _encoder.encode_lines(values)


def _lines(data: bytes) -> bytes:
    if data[:1] != VERSION:
        raise ValueError(f"a process table of an unknown version: {data[:1]!r}")
    return decompressed(data[1:])


def pack(procs: Sequence[Proc]) -> bytes:
    """The processes as bytes; none are no bytes."""
    return pack_table(table_of(procs))


def unpack(data: bytes | memoryview) -> list[Proc]:
    """The processes as they were packed, in their order."""
    data = bytes(data)
    if data[:1] == COLUMNS:
        return list(map(Proc, *msgspec.json.decode(decompressed(data[1:]))))
    return _procs(_decoder.decode_lines(_lines(data))) if data else []


def compressed(data: bytes) -> bytes:
    """By zstd, quickly."""
    if not hasattr(_own, "compressor"):
        _own.compressor = ZstdCompressor(level=1)
    packed: bytes = _own.compressor.compress(data)
    return packed


def decompressed(data: bytes) -> bytes:
    """What zstd packed."""
    if not hasattr(_own, "decompressor"):
        _own.decompressor = ZstdDecompressor()
    whole: bytes = _own.decompressor.decompress(data)
    return whole
