"""What a service logged, line by line, whoever kept it: the journal, a file, or supervisord."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple

from agent.hubclock import iso

CHUNK = 128 << 10  # bytes of a file that are looked at, at once
_CURSOR = re.compile(r"^[A-Za-z0-9=;:]{1,300}$")


class LogLine(NamedTuple):
    """One line; `at` is ISO 8601 and `level` syslog's 0 (emergency) to 7 (debug), None where the log does not tell."""

    at: str | None
    level: int | None
    by: str
    text: str


class Wanted(NamedTuple):
    """Which lines: the newest so many, or what came after the cursor; level: only as bad as this, or worse."""

    lines: int
    level: int | None = None
    after: str = ""


class Log(NamedTuple):
    """Lines, oldest first, and where to go on; `missed`: some that came after the cursor are not among them."""

    lines: list[LogLine]
    cursor: str
    source: str  # "journal", a file's path, or what keeps the log
    levels: bool = False  # whether this log tells levels, so that lines can be chosen by them
    missed: bool = False


def is_cursor(text: str) -> bool:
    """Whether this may be one of ours: it goes into a command line."""
    return _CURSOR.fullmatch(text) is not None


def from_journal(output: str) -> Iterator[tuple[LogLine, str]]:
    """Lines out of `journalctl -o json`, each with its cursor; what is cut off at the beginning is left out."""
    for raw in output.splitlines():
        try:
            entry = json.loads(raw)
            micros = int(entry["__REALTIME_TIMESTAMP"])
        except (ValueError, KeyError, TypeError):
            continue
        level = _text(entry.get("PRIORITY"))
        pid = _text(entry.get("_PID") or entry.get("SYSLOG_PID"))
        by = _text(entry.get("SYSLOG_IDENTIFIER") or entry.get("_COMM")) + (f"[{pid}]" if pid else "")
        text = _text(entry.get("MESSAGE"))
        yield LogLine(iso(micros / 1e6), int(level) if level in set("01234567") else None, by, text), entry["__CURSOR"]


def _text(value: Any) -> str:
    """A journal field: text, bytes as a list of numbers where it is not UTF-8, or a list of several texts."""
    if isinstance(value, list):
        if value and all(isinstance(item, int) and 0 <= item < 256 for item in value):
            return bytes(value).decode("utf-8", "replace")
        return " ".join(map(_text, value))
    return value if isinstance(value, str) else ""


def from_file(path: str, wanted: Wanted) -> Log:
    """The end of a file, or what was added to it since the cursor; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(f"{path} is not a file")
        begin, known = _begin(wanted.after, facts)
        file.seek(begin)
        data = file.read(facts.st_size - begin)
    text = data.decode("utf-8", "replace")
    whole = text.splitlines() if known or begin == 0 else text.splitlines()[1:]
    missed = bool(wanted.after) and (not known or len(whole) > wanted.lines)
    return Log(plain(whole[-wanted.lines :]), f"{facts.st_ino}:{begin + len(data)}", path, missed=missed)


def _begin(cursor: str, facts: os.stat_result) -> tuple[int, bool]:
    """Where to read from, and whether that is where the cursor stood: not after a rotation, nor when too much came."""
    end = max(0, facts.st_size - CHUNK)
    inode, _colon, offset = cursor.partition(":")
    if inode == str(facts.st_ino) and offset.isdecimal() and end <= int(offset) <= facts.st_size:
        return int(offset), True
    return end, False


def plain(lines: list[str]) -> list[LogLine]:
    """Lines of a log that tells no more than them."""
    return [LogLine(None, None, "", line) for line in lines]
