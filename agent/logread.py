"""The read `logs`: a service's newest log lines, or what came since, within bounds and with secrets removed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from agent import scrub
from agent.allow import UNIT_NAME
from agent.managers.loglines import LogLine, Wanted, is_cursor
from agent.reads import Answer, NoAnswer, Read
from agent.servicetable import ServiceTable

_LINES, _MOST_LINES = 200, 500
_TEXT_CHARS = 2_000  # of one line
_ANSWER_BYTES = 200_000


class LogReader:
    """Reads the logs of services whose names match the owner's patterns."""

    def __init__(self, table: ServiceTable, patterns: Sequence[str]) -> None:
        self._table = table
        self._patterns = patterns

    def __call__(self, read: Read) -> Answer:
        """Answer a read; raises NoAnswer or ManagerError."""
        wanted = _wanted(read.args)
        if not UNIT_NAME.fullmatch(read.target):
            raise NoAnswer(f"{read.target[:80]!r} is not the name of a service")
        if not any(fnmatchcase(read.target, pattern) for pattern in self._patterns):
            raise NoAnswer(f"this server's owner does not let the hub read the log of {read.target}")
        manager = self._table.manager_of(read.target)
        if manager is None:
            raise NoAnswer(f"there is no service {read.target} on this server")
        log = manager.read_log(read.target, wanted, read.seconds)
        lines, cut = _bounded(log.lines)
        told = {"lines": lines, "cut": cut, "cursor": log.cursor, "missed": log.missed}
        return {**told, "source": log.source, "levels": log.levels}


def _wanted(args: dict[str, Any]) -> Wanted:
    lines, level, after = args.get("lines", _LINES), args.get("level"), args.get("after") or ""
    if not _is_whole(lines) or not 1 <= lines <= _MOST_LINES:
        raise NoAnswer(f"lines is not a number from 1 to {_MOST_LINES}")
    if level is not None and (not _is_whole(level) or not 0 <= level <= 7):
        raise NoAnswer("level is not a number from 0 to 7")
    if after and not (isinstance(after, str) and is_cursor(after)):
        raise NoAnswer("after is not a cursor of an earlier answer")
    return Wanted(lines, level, after)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bounded(lines: list[LogLine]) -> tuple[list[dict[str, Any]], bool]:
    """The lines as they are sent; older ones are left out where all would be too much."""
    kept: list[dict[str, Any]] = []
    room = _ANSWER_BYTES
    for line in reversed(lines):
        sent = {"t": line.at, "level": line.level, "by": line.by[:100], "text": _safe(line.text)}
        room -= len(json.dumps(sent, ensure_ascii=False).encode("utf-8", "replace"))
        if room < 0:
            break
        kept.append(sent)
    return kept[::-1], len(kept) < len(lines)


def _safe(text: str) -> str:
    return scrub.text(text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…")
