"""systemd, by `systemctl show`: every unit in one call."""

from __future__ import annotations

import os
import shutil

from agent.managers import systemd_exits
from agent.managers.base import CLEAN_ENV, LISTING_BYTES, Acted, ManagerError, Service, State, main_process, run
from agent.managers.loglines import Log, LogLine, Wanted, from_journal
from agent.procstat import start_ticks

_ASK_SEC = 15.0
_UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_PROPERTIES = (
    "Id,Type,Description,LoadState,ActiveState,SubState,MainPID,NRestarts,Result,StateChangeTimestamp,MemoryCurrent,"
    "TasksCurrent,UnitFileState,CanStart,CanStop,CanReload,RefuseManualStart,RefuseManualStop,Names,TriggeredBy,"
    "ExecMainCode,ExecMainStatus,ExecReload"
)
_ENTRY_FIELDS = "MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,SYSLOG_PID,_COMM,_PID"
_JOURNAL_BYTES = 2 << 20
_TRIGGERS = (".socket", ".timer", ".path")
_MOST_ACTED = 50  # instances of templates that are kept in the list though systemd forgets them when they are stopped
_MOST_NAMES = 20
_NO_NUMBER = {"", "[not set]", "infinity", "18446744073709551615"}


class Systemd:
    """The manager of a machine whose pid 1 is systemd."""

    name = "systemd"
    list_every = 60.0

    def __init__(self, by_sudo: bool = False) -> None:
        self._tool = ["sudo", "-n", path()] if by_sudo else ["systemctl"]
        self._unit_files: list[str] = []
        self._folders: tuple[int, ...] = ()
        self._acted: list[str] = []  # instances acted on
        self._triggers: dict[str, list[str]] = {}  # what may start a service besides us, by its name
        self._exits = systemd_exits.Exits()

    def detect(self) -> bool:
        """The folder is systemd's own sign that it is pid 1 (sd_booted)."""
        return os.path.isdir("/run/systemd/system") and shutil.which("systemctl") is not None

    def hint(self) -> object:
        """systemd keeps a link per running unit here, renewed at each start and gone after each stop."""
        return (_changed("/run/systemd/units"), *map(_changed, _UNIT_FOLDERS))

    def services(self) -> list[Service]:
        """Loaded services, and installed ones that are not loaded: those are stopped, not gone."""
        blocks = self._blocks(["*.service", *(f"*{kind}" for kind in _TRIGGERS), *self._installed(), *self._acted])
        listening = _listening(blocks)
        found = {b["Id"]: b for b in blocks if _is_service(b)}
        self._triggers = {name: b.get("TriggeredBy", "").split() for name, b in found.items()}
        services = {name: _service(b, listening) for name, b in found.items()}
        self._exits.complete({name: service.facts for name, service in services.items()})
        return [services[name] for name in sorted(services)]

    def show(self, unit: str) -> State:
        """One unit's state; an unknown unit is inactive with loadState not-found."""
        blocks = self._blocks([unit, *self._triggers.get(unit, ())])
        if not blocks:
            raise ManagerError(f"systemctl show {unit} told nothing")
        return {**_state(blocks[0], _listening(blocks)), "loadState": blocks[0].get("LoadState", "")}

    def act(self, verb: str, unit: str, seconds: float) -> Acted:
        """The job stays systemd's when the time is over or the agent dies."""
        if "@" in unit and unit not in self._acted:
            self._acted = [*self._acted, unit][-_MOST_ACTED:]
        return run([*self._tool[:-1], *told(self._tool[-1], verb, unit)], seconds)

    def logs(self, unit: str, lines: int) -> list[str]:
        """From the journal."""
        argv = ["journalctl", "--unit", unit, "-n", str(lines), "--no-pager", "-o", "short-iso", "--quiet"]
        return run(argv, _ASK_SEC).output.splitlines()

    def read_log(self, unit: str, wanted: Wanted, seconds: float) -> Log:
        """From the journal. Where more came after the cursor than is wanted, the newest of it."""
        found = _journal(unit, wanted, seconds)
        missed = bool(wanted.after) and len(found) > wanted.lines
        if missed:  # journalctl gave the first ones
            found = _journal(unit, wanted._replace(after=""), seconds)
        cursor = found[-1][1] if found else wanted.after
        return Log([line for line, _ in found][-wanted.lines :], cursor, "journal", levels=True, missed=missed)

    def _installed(self) -> list[str]:
        folders = tuple(map(_changed, _UNIT_FOLDERS))
        if folders != self._folders:
            argv = ["systemctl", "list-unit-files", "--type=service", "--no-legend", "--no-pager", "--plain"]
            self._unit_files = unit_files(_listing(argv))
            self._folders = folders
        return self._unit_files

    def _blocks(self, units: list[str]) -> list[dict[str, str]]:
        """What systemd tells of these units; asked once more of those whose main process ended while it told. Else a
        service in the midst of a restart would run without a main process, and the restart would be seen nowhere."""
        blocks = self._show(units)
        gone = [b["Id"] for b in blocks if (pid := int(b.get("MainPID") or 0)) and start_ticks(pid) is None]
        anew = {b["Id"]: b for b in self._show(gone)} if gone else {}
        return [anew.get(b.get("Id", ""), b) for b in blocks]

    def _show(self, units: list[str]) -> list[dict[str, str]]:
        argv = ["systemctl", "show", "--all", "--no-pager", f"--property={_PROPERTIES}", "--", *units]
        return parse(_listing(argv))


def told(systemctl: str, verb: str, unit: str) -> list[str]:
    """The one command line by which a unit is told to do something; sudoers lines are made of it too."""
    return [systemctl, verb, "--no-ask-password", "--", unit]


def path() -> str:
    """Where systemctl is, as sudoers has to spell it."""
    return shutil.which("systemctl", path=CLEAN_ENV["PATH"]) or "/usr/bin/systemctl"


def _journal(unit: str, wanted: Wanted, seconds: float) -> list[tuple[LogLine, str]]:
    """So many entries and one more: the newest ones, or the first ones after the cursor."""
    argv = ["journalctl", "--unit", unit, "-n", str(wanted.lines + 1), "--all", "--no-pager", "--quiet", "-o", "json"]
    argv += [f"--output-fields={_ENTRY_FIELDS}"]
    argv += [f"--priority={wanted.level}"] if wanted.level is not None else []
    argv += [f"--after-cursor={wanted.after}"] if wanted.after else []
    done = run(argv, seconds, listing=_JOURNAL_BYTES)
    if done.exit_code is None:
        raise ManagerError(f"journalctl did not end within {seconds:.0f} s")
    if done.exit_code != 0 and not done.output:
        raise ManagerError(f"journalctl ended with {done.exit_code}: there is no journal, or the agent may not read it")
    return list(from_journal(done.output))


def _changed(folder: str) -> int:
    """When something was last put into or taken out of a folder; 0 where there is none."""
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return 0


def _listing(argv: list[str]) -> str:
    done = run(argv, _ASK_SEC, listing=LISTING_BYTES)
    if done.exit_code != 0 and not done.output:
        raise ManagerError(f"{' '.join(argv[:2])} ended with {done.exit_code}")
    return done.output


def parse(text: str) -> list[dict[str, str]]:
    """The blocks of `systemctl show`, one dict of properties for each unit."""
    blocks = (block for block in text.split("\n\n") if block.strip())
    return [dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line) for block in blocks]


def unit_files(text: str) -> list[str]:
    """Names out of `systemctl list-unit-files`; templates are no services of their own."""
    names = (line.split()[0] for line in text.splitlines() if line.strip())
    return [name for name in names if name.endswith(".service") and "@." not in name]


def _is_service(block: dict[str, str]) -> bool:
    name = block.get("Id", "")
    return name.endswith(".service") and "@." not in name and block.get("LoadState") != "not-found"


def _listening(blocks: list[dict[str, str]]) -> set[str]:
    """The sockets, timers and paths that are at work: they start their service when it is due."""
    return {b["Id"] for b in blocks if b.get("Id", "").endswith(_TRIGGERS) and b.get("ActiveState") == "active"}


def _service(block: dict[str, str], listening: set[str]) -> Service:
    facts = {
        "description": block.get("Description", "")[:200],
        "loadState": block.get("LoadState", ""),
        "unitFileState": block.get("UnitFileState", ""),
        "aliases": sorted(name for name in block.get("Names", "").split() if name != block["Id"])[:_MOST_NAMES],
        **_state(block, listening),
    }
    return Service(block["Id"], "systemd", facts, _possible(block))


def _state(block: dict[str, str], listening: set[str]) -> State:
    return {
        "activeState": block.get("ActiveState", ""),
        "subState": block.get("SubState", ""),
        "type": block.get("Type", ""),  # a oneshot ends inactive when it is done
        "since": systemd_exits.moment(block.get("StateChangeTimestamp", "")),
        **main_process(int(block.get("MainPID") or 0)),
        "result": block.get("Result", ""),
        "nRestarts": _number(block.get("NRestarts", "")),
        "memMB": _megabytes(block.get("MemoryCurrent", "")),
        "tasks": _number(block.get("TasksCurrent", "")),
        "triggeredBy": [unit for unit in block.get("TriggeredBy", "").split() if unit in listening][:_MOST_NAMES],
        "lastExit": systemd_exits.last_exit(block),
        **systemd_exits.last_reload(block),
    }


def _possible(block: dict[str, str]) -> tuple[str, ...]:
    if block.get("LoadState") == "masked" and block.get("ActiveState") in ("active", "activating", "reloading"):
        return ("stop",)  # it runs from before it was masked, and nothing but a stop is left to do
    if block.get("LoadState") != "loaded":
        return ()
    start = block.get("CanStart") == "yes" and block.get("RefuseManualStart") != "yes"
    stop = block.get("CanStop") == "yes" and block.get("RefuseManualStop") != "yes"
    can = {"start": start, "stop": stop, "restart": start and stop, "reload": block.get("CanReload") == "yes"}
    return tuple(verb for verb, able in can.items() if able)


def _number(text: str) -> int | None:
    return None if text in _NO_NUMBER else int(text)


def _megabytes(text: str) -> float | None:
    return None if text in _NO_NUMBER else round(int(text) / 1048576, 2)
