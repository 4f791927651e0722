"""How systemd's main processes ended and its reloads went: out of `systemctl show`, and out of its journal.

A service that came back by itself has forgotten in `show` how it ended before; the journal remembers.
"""

from __future__ import annotations

import json
import re
import signal
import time
from typing import Any

from agent.managers.base import LISTING_BYTES, ManagerError, run

_EXITED, _KILLED, _DUMPED = "1", "2", "3"  # ExecMainCode, waitid's si_code
_RELOAD = re.compile(r"stop_time=\[(?P<at>[^\]]+)\] ; pid=\d+ ; code=(?P<code>\S+) ; status=(?P<status>\d+)")
_PROCESS_EXIT = "98e322203f7a4ed290d09fe03c09fe15"  # message ids of systemd's own: see sd-messages.h
_OUT_OF_MEMORY = "fe6faa94e7774663a0da52717891d8ef"
_ASK_SEC = 5.0
_MOST_ASKED = 5  # services of one list whose journal is looked into
_LINES = 10
_LOOKS, _LOOK_AGAIN_SEC = 3, 0.2
OOM = "oom-kill"


def last_exit(block: dict[str, str]) -> str:
    """How the main process last ended: "0", "7", "SIGSEGV" or "oom-kill"; empty while none has, or it is forgotten."""
    code, status = block.get("ExecMainCode", ""), block.get("ExecMainStatus", "")
    if block.get("Result") == OOM:
        return OOM
    return _word("exited" if code == _EXITED else "killed" if code in (_KILLED, _DUMPED) else "", status)


def last_reload(block: dict[str, str]) -> dict[str, Any]:
    """When the running service last ended a reload, and its exit code; both None when it did not, or it is not told."""
    found = _RELOAD.search(block.get("ExecReload", ""))
    at = moment(found["at"]) if found else None
    if found is None or at is None:
        return {"reloadedAt": None, "reloadStatus": None}
    return {"reloadedAt": at, "reloadStatus": int(found["status"]) if found["code"] == "exited" else 255}


def moment(text: str) -> str | None:
    """`Mon 2026-11-23 04:58:09 UTC`, as the clean environment's TZ makes it, in ISO 8601; None for never."""
    words = text.split()
    return f"{words[1]}T{words[2]}Z" if len(words) == 4 and words[3] == "UTC" else None


class Exits:
    """Asks the journal how services ended that came back by themselves since the list before."""

    def __init__(self) -> None:
        self._restarts: dict[str, int] = {}  # nRestarts of each service, as last listed
        self._known: dict[str, tuple[int, str]] = {}  # nRestarts, and how it ended before that one
        self._listed_at = time.time()

    def complete(self, listed: dict[str, dict[str, Any]]) -> None:
        """Put lastExit into the facts of running services whose manager forgot it."""
        counts = {name: facts["nRestarts"] or 0 for name, facts in listed.items()}
        grown = [name for name, count in counts.items() if count > self._restarts.get(name, count)]
        for name in grown[:_MOST_ASKED]:
            self._known[name] = (counts[name], _patiently(name, self._listed_at))
        self._restarts, self._listed_at = counts, time.time()
        self._known = {name: known for name, known in self._known.items() if counts.get(name) == known[0]}
        for name, (_count, ended) in self._known.items():
            listed[name]["lastExit"] = listed[name]["lastExit"] or ended


def _patiently(unit: str, since: float) -> str:
    """The journal may be some moments behind systemd."""
    for _look in range(_LOOKS):
        if ended := told(unit, since):
            return ended
        time.sleep(_LOOK_AGAIN_SEC)
    return ""


def told(unit: str, since: float) -> str:
    """How the unit's main process last ended by the journal, in last_exit's words; empty where it does not tell.

    since: epoch seconds; what is older is of an end before the one that is asked for.
    """
    wanted = [f"UNIT={unit}", f"MESSAGE_ID={_PROCESS_EXIT}", f"MESSAGE_ID={_OUT_OF_MEMORY}"]
    # Not with --boot: a container may name its boot otherwise than its journal does.
    options = ["--reverse", "-n", str(_LINES), "--no-pager", "--quiet", "-o", "json"]
    try:
        lines = run(["journalctl", *options, *wanted], _ASK_SEC, listing=LISTING_BYTES).output.splitlines()
    except ManagerError:
        return ""
    return _newest([entry for entry in map(_entry, lines) if _written_at(entry) >= since])


def _written_at(entry: dict[str, Any]) -> float:
    """When the journal took the entry, in epoch seconds; 0 for what is none."""
    microseconds = str(entry.get("__REALTIME_TIMESTAMP", ""))
    return int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0


def _newest(entries: list[dict[str, Any]]) -> str:
    """Newest first. systemd tells of the lack of memory before or after the exit, in the same start of the service."""
    exits = [e for e in entries if e.get("MESSAGE_ID") == _PROCESS_EXIT and e.get("COMMAND") == "ExecStart"]
    if not exits:
        return ""
    start = exits[0].get("INVOCATION_ID")
    if any(e.get("MESSAGE_ID") == _OUT_OF_MEMORY and e.get("INVOCATION_ID") == start for e in entries):
        return OOM
    code = str(exits[0].get("EXIT_CODE"))
    return _word("killed" if code == "dumped" else code, str(exits[0].get("EXIT_STATUS")))


def _entry(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _word(code: str, status: str) -> str:
    if not status.isdecimal():
        return ""
    if code == "exited":
        return status
    if code != "killed":
        return ""
    try:
        return signal.Signals(int(status)).name
    except ValueError:
        return f"signal {status}"  # a real-time one
