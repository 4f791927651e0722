"""Start the agent: `python3 -m agent`, or the zipapp `pmonitor-agent.pyz`."""

from __future__ import annotations

import fcntl
import gc
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from agent import lean  # noqa: F401 - before requests

# isort: split
from agent import __version__, config, granting, grants, logs, managers
from agent.allow import LEASE_VERBS, PROCESS_VERBS, SERVICE_VERBS, Allow
from agent.command import Kind
from agent.commands import Commands
from agent.execute import Executor
from agent.hub import Hub
from agent.hubclock import HubClock
from agent.impact import Impact
from agent.journal import Journal
from agent.lease_action import LentServices
from agent.leasebook import LeaseBook, machine_clock
from agent.leases import Leases
from agent.logread import LogReader
from agent.logs import log
from agent.managers import systemd
from agent.managers.base import Manager
from agent.probe import Probe
from agent.process_action import ProcessActions
from agent.reads import Kind as Question
from agent.reads import Reads
from agent.register import NotEnrolled, token_for
from agent.report import Reports
from agent.service_action import ServiceActions
from agent.servicetable import ServiceTable

WRONG_SETTINGS = 2
USAGE = f"""Reports this machine to its Process Monitor hub and runs the hub's commands.

  --config FILE   settings from FILE instead of {config.DEFAULT_FILE}; the environment comes first
  --check         check the settings, say what was found, and end
  --grant         as root: give the agent's user what ALLOW says, by polkit or sudo, and end
  --print-polkit-rule, --print-sudoers   print what --grant writes, and end
  --print-unit    print the agent's systemd unit, and end
  --version, -h, --help
"""


class CannotStart(Exception):
    """Something a person has to put right first."""


def main() -> None:
    """Run until SIGTERM or SIGINT; ends with 2 when settings are wrong, 1 when a loop failed."""
    mode, file = _options(sys.argv[1:])
    logs.start()
    environ = dict(os.environ)
    if mode == "--grant":
        environ.pop("ACT_BY", None)  # an earlier grant's word; this one finds out anew
    try:
        settings = config.load(environ, file)
        logs.hide(settings.agent_token)
        logs.hide(settings.enrolment_key)
        sys.exit(_MODES[mode](settings))
    except config.ConfigError as error:
        for problem in error.problems:
            log.error(problem)
        if mode == "--grant":
            sys.exit(_grant(Allow()))  # nothing is allowed; the agent itself ends with 2, for good
    except (CannotStart, NotEnrolled) as error:
        log.error(str(error))
    sys.exit(WRONG_SETTINGS)


def _options(arguments: list[str]) -> tuple[str, Path | None]:
    """A mode or nothing, and the file after --config; what only prints is printed here. By hand: argparse is 1 MB."""
    mode, file, rest = "", None, list(arguments)
    while rest:
        option = rest.pop(0)
        if option == "--config" and rest:
            file = Path(rest.pop(0))
        elif option in _MODES:
            mode = option
        elif option in _PRINTED:
            sys.stdout.write(_PRINTED[option]())
            sys.exit(0)
        else:
            sys.stderr.write(f"pmonitor-agent: {option} is not an option, or lacks its value\n{USAGE}")
            sys.exit(WRONG_SETTINGS)
    return mode, file


def _unit() -> str:
    return (pkgutil.get_data("agent", "pmonitor-agent.service") or b"").decode()


_PRINTED: dict[str, Callable[[], str]] = {
    "--version": lambda: __version__ + "\n",
    "--help": lambda: USAGE,
    "-h": lambda: USAGE,
    "--print-unit": _unit,
}


def _grant(allow: Allow) -> int:
    if os.geteuid() != 0:
        log.error("--grant needs root")
        return WRONG_SETTINGS
    granting.grant(allow)
    return 0


def _print_polkit_rule(settings: config.Config) -> int:
    sys.stdout.write(grants.polkit_rule(settings.allow))
    return 0


def _print_sudoers(settings: config.Config) -> int:
    if problems := grants.problems(settings.allow, grants.SUDO):
        raise config.ConfigError(problems)
    sys.stdout.write(grants.sudoers(settings.allow, systemd.path()))
    return 0


def _check(settings: config.Config) -> int:
    way = granting.way()
    if systemd.Systemd().detect() and (problems := grants.problems(settings.allow, way)):
        raise config.ConfigError(problems)
    table = ServiceTable(_managers(settings), settings.allow)
    log.info(
        "settings are right",
        extra={
            "api": settings.api,
            "agentId": settings.agent_id,
            "allow": settings.allow.entries,
            "managers": table.managers(),
            "grantedBy": way or "nothing",
        },
    )
    return 0


def _managers(settings: config.Config) -> list[Manager]:
    return managers.known(settings.supervisor_socket, settings.by_sudo)


def _run(settings: config.Config) -> int:
    stop = threading.Event()
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)  # whichever thread a signal comes in by
    for number in (signal.SIGTERM, signal.SIGINT):
        # In a thread: this one may hold the event's lock just now, being about to wait for it.
        signal.signal(number, lambda _number, _frame: threading.Thread(target=stop.set).start())
    lock = _only_one(settings.state_dir)
    hub = Hub(settings, HubClock())
    token = token_for(settings, hub, stop)
    if token is None:
        return 0
    logs.hide(token)
    hub.use_token(token)
    failed = _loops(settings, hub, stop, woken)
    os.close(lock)
    return 1 if failed else 0


def _loops(settings: config.Config, hub: Hub, stop: threading.Event, woken: int) -> bool:
    """Run the loops until stopped; whether one of them failed. woken: can be read once a signal has come."""
    journal = Journal(settings.state_dir / "journal.jsonl")
    table = ServiceTable(_managers(settings), settings.allow)
    book = LeaseBook(settings.state_dir / "leases.json", machine_clock())
    leases = Leases(book, table, settings.allow, hub.clock, settings.settle_sec, stop)
    services = LentServices(ServiceActions(table, settings.allow, settings.settle_sec), leases)
    processes = ProcessActions(settings.allow, settings.protect, settings.settle_sec)
    kinds: dict[str, Kind] = dict.fromkeys((*SERVICE_VERBS, *LEASE_VERBS), services)
    kinds.update(dict.fromkeys(PROCESS_VERBS, processes))
    executor = Executor(hub, journal, kinds, stop)
    questions: dict[str, Question] = {
        "impact": Impact(table, settings.api).answer,
        "logs": LogReader(table, settings.logs),
        "probe": Probe(settings.allow),
    }
    answering = Reads(hub, questions, stop)
    commands = Commands(hub, executor, journal, answering, stop)
    reports = Reports(settings, hub, table, leases, stop)
    failures: list[str] = []
    log.info("started", extra={"agentId": settings.agent_id, "api": settings.api, "version": __version__})
    loops = (("report", reports.run), ("poll", commands.poll), ("work", commands.work), ("leases", leases.run))
    for name, loop in loops:
        # Daemons: a long-poll or an action under way must not hold back the end. The journal is on disk at every step.
        threading.Thread(target=_guarded, args=(name, loop, failures), name=name, daemon=True).start()
    gc.freeze()  # what is here now stays: the collector need not look at it again
    os.read(woken, 1)  # not stop.wait: that would not end here for a signal that came in by another thread
    stop.wait()
    log.info("stopped")
    return bool(failures)


def _guarded(name: str, loop: Callable[[], None], failures: list[str]) -> None:
    try:
        loop()
    except Exception:  # noqa: BLE001 - a thread has no caller: log it and end the agent
        log.exception("a loop failed: the agent ends, to be started again", extra={"loop": name})
        failures.append(name)
        signal.raise_signal(signal.SIGTERM)


def _only_one(folder: Path) -> int:
    """Hold the state folder's lock; raises CannotStart when another agent has it or the folder cannot be written."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(f"STATE_DIR={str(folder)!r} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise CannotStart(f"another agent is already running with STATE_DIR={str(folder)!r}") from error
    return lock


_MODES: dict[str, Callable[[config.Config], int]] = {
    "": _run,
    "--check": _check,
    "--grant": lambda settings: _grant(settings.allow),
    "--print-polkit-rule": _print_polkit_rule,
    "--print-sudoers": _print_sudoers,
}


if __name__ == "__main__":
    main()
