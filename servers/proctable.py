"""A process table at rest: a version byte, then zstd over JSON with one list a field (like packs well with like)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from operator import attrgetter

import msgspec
from zstandard import ZstdCompressor, ZstdDecompressor

from servers.wire import Proc

VERSION = b"\x01"
FIELDS = ("name", "pid", "cpu", "mem_mb", "status", "user", "cmdline", "ppid", "threads", "start_ticks")
_columns = [attrgetter(field) for field in FIELDS]
_own = threading.local()  # zstd's objects are not for two threads at once


def pack(procs: Sequence[Proc]) -> bytes:
    """The table as bytes; no processes are no bytes."""
    if not procs:
        return b""
    table = msgspec.json.encode([list(map(column, procs)) for column in _columns])
    if not hasattr(_own, "compressor"):
        _own.compressor = ZstdCompressor(level=1)
    packed: bytes = _own.compressor.compress(table)
    return VERSION + packed


def unpack(data: bytes | memoryview) -> list[Proc]:
    """The table as it was packed, in its order."""
    data = bytes(data)
    if not data:
        return []
    if data[:1] != VERSION:
        raise ValueError(f"a process table of an unknown version: {data[:1]!r}")
    if not hasattr(_own, "decompressor"):
        _own.decompressor = ZstdDecompressor()
    return list(map(Proc, *msgspec.json.decode(_own.decompressor.decompress(data[1:]))))
