"""What the agent did with each command, on disk before it is done: the reason no command runs twice.

Steps of a command: received → acting → done → reported. `acting` is the point of no return: it is on disk
before the service manager is asked, so a command with it never runs again, and one without it never ran.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from agent.logs import log
from agent.register import write_durably

KEEP = 1000  # commands; far more than a hub can redeliver, whose commands expire
_STEPS = ("received", "acting", "done", "reported")
Entry = dict[str, Any]


class JournalError(Exception):
    """The journal cannot be written: nothing may run."""


class Journal:
    """One JSON line per step, each on disk (fsync) when `write` returns. Commands write from their own threads."""

    def __init__(self, path: Path, keep: int = KEEP) -> None:
        self._path = path
        self._keep = keep
        self._torn = False
        self._writing = threading.Lock()
        self._entries = self._read()
        self._compact()
        self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - kept for the agent's life
        os.fchmod(self._file.fileno(), 0o600)

    def get(self, command: str) -> Entry | None:
        """What is known of a command: its newest step and all facts of its steps."""
        return self._entries.get(command)

    def unfinished(self) -> list[Entry]:
        """Commands that a crash left between their first step and their result, oldest first."""
        return [e for e in self._entries.values() if e["step"] in ("received", "acting")]

    def unreported(self) -> list[Entry]:
        """Commands whose result the hub has not taken yet, oldest first."""
        return [e for e in self._entries.values() if e["step"] == "done"]

    def write(self, command: str, step: str, /, **facts: Any) -> None:
        """Put a step on disk; raises JournalError when it is not there for sure."""
        assert step in _STEPS, step  # noqa: S101
        line = json.dumps({"id": command, "step": step, **facts}, separators=(",", ":")).encode() + b"\n"
        with self._writing:
            self._put(line)
            self._entries[command] = {**self._entries.get(command, {}), "id": command, "step": step, **facts}

    def _put(self, line: bytes) -> None:
        try:
            self._append(line)
        except OSError as error:
            self._torn = True
            raise JournalError(f"the agent's journal cannot be written: {error.strerror or error}") from error

    def forget(self, command: str) -> None:
        """For a command that did not run and may be handed out again: as if never seen, until the next start."""
        self._entries.pop(command, None)

    def close(self) -> None:
        """No step after this one."""
        self._file.close()

    def _append(self, line: bytes) -> None:
        # A write that failed half-way (disk full) left half a line: begin on a new one.
        line = b"\n" + line if self._torn else line
        written = self._file.write(line)
        if written != len(line):
            raise OSError(28, "no space left on device")
        os.fsync(self._file.fileno())
        self._torn = False

    def _read(self) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        if not self._path.exists():
            return entries
        for line in self._path.read_bytes().splitlines():
            try:
                step = json.loads(line)
                command = str(step["id"])
                known = _STEPS.index(step["step"]) >= 0
            except (ValueError, KeyError, TypeError):
                if line:
                    log.warning("a torn line in the journal is passed over", extra={"file": str(self._path)})
                continue
            if known:
                entries[command] = {**entries.get(command, {}), **step}
        return entries

    def _compact(self) -> None:
        """At start: one line per command, the newest ones, and every one that is not reported yet."""
        finished = [c for c, e in self._entries.items() if e["step"] == "reported"]
        for command in finished[: max(0, len(self._entries) - self._keep)]:
            del self._entries[command]
        lines = (json.dumps(entry, separators=(",", ":")) + "\n" for entry in self._entries.values())
        try:
            write_durably(self._path, "".join(lines).encode())
        except OSError as error:  # a full disk: the old file is still whole, and reporting must go on
            log.warning("the journal cannot be made smaller", extra={"error": str(error)})
            self._torn = True
