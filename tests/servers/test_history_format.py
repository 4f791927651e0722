"""docs/history-format.md tells the truth: its examples are what is written."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from zstandard import DICT_TYPE_RAWCONTENT, ZstdCompressionDict, ZstdDecompressor

from servers import changes, proctable
from servers.chunks.samples import Sample
from servers.chunks.write import encode
from servers.outlines import Base, outline_of
from servers.wire import Proc
from tests.servers.samples import T0

DOC = (Path(__file__).resolve().parents[2] / "docs" / "history-format.md").read_text()
REDIS = Proc("redis", 123, None, 78.21, "sleeping", "redis", "redis *:6379", 1, 5, 4711)
LATER = Proc("redis", 123, 1.2, 78.25, "running", "redis", "redis *:6379", 1, 5, 4711)
SH = Proc("sh", 200, None, 1.5, "sleeping", "root", "sh", 1, 1, 9000)
FIRST, SECOND = proctable.table_of([REDIS]), proctable.table_of([LATER, SH])


def listed() -> dict[str, bytes]:
    """The frames of the example, by name."""
    block = re.search(r"```\n(head\n.*?)```", DOC, re.S)
    assert block
    frames: dict[str, bytes] = {}
    for line in block[1].splitlines():
        if not line.startswith(" "):
            frames[name := line] = b""
        else:
            frames[name] += bytes.fromhex(line.split("|")[0])
    return frames


def test_the_chunk_of_the_example_is_the_listing() -> None:
    data = encode([Sample(T0, 1769860800.0, 2, FIRST), Sample(T0 + timedelta(seconds=10), 1769860810.0, 3, SECOND)])
    assert data[0] == 1
    frames, position = [], 21
    for start in range(1, 21, 4):
        size = int.from_bytes(data[start : start + 4], "little")
        frames.append(ZstdDecompressor().decompress(data[position : position + size]))
        position += size
    assert position == len(data)
    assert dict(zip(("head", "cpu", "memMB", "status", "threads"), frames, strict=True)) == listed()


def test_a_whole_table_is_as_shown() -> None:
    data = proctable.pack([REDIS])
    assert data[:1] == b"\x02"
    shown = ZstdDecompressor().decompress(data[1:]).decode()
    assert f"```\n{shown}```" in DOC


def test_a_change_is_as_told() -> None:
    data = changes.pack(
        Base(T0, 1769860800.0),
        changes.difference(outline_of(FIRST), outline_of(SECOND)),
        SECOND,
        outline_of(SECOND),
    )
    assert data[:1] == b"\x04"
    key = bytes.fromhex("80e0a4a2ddb59203 000000b07b5fda41")  # the number, then the double
    places = bytes.fromhex("0000 010102")  # none gone; one new, at place 1
    assert data[1:].startswith(key + places)
    lines = ZstdCompressionDict(b"\n".join(FIRST.stays), dict_type=DICT_TYPE_RAWCONTENT)
    body = ZstdDecompressor(dict_data=lines).decompress(data[1 + len(key + places) :])
    line = b'["sh",200,"root","sh",1,9000]'
    assert body.startswith(bytes.fromhex("01 01") + bytes([2 * len(line)]) + line)
    assert body[3 + len(line) :].startswith(bytes.fromhex("01 00 0a 01 1a 00"))  # CPU of place 0: scale 10, 13 more
