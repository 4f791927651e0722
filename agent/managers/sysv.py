"""SysV init scripts, where systemd is not pid 1. Their only common language is `status` and its exit code."""

from __future__ import annotations

import os
import re
from pathlib import Path

from agent.managers.base import Acted, ManagerError, Service, State, main_process, memory_of, run
from agent.managers.loglines import Log, Wanted, from_file
from agent.procstat import start_ticks

_STATUS_SEC = 10.0
_LSB = {0: ("active", "running"), 1: ("failed", "dead with pid file"), 2: ("failed", "dead with lock file")}
_PID = re.compile(r"\bpids?\b\W*(\d+)", re.IGNORECASE)


class SysV:
    """Init scripts of one folder that know `status`: without it, asking could start them."""

    name = "sysv"
    list_every = 60.0

    def __init__(self, folder: str = "/etc/init.d", run_folder: str = "/run", log_folder: str = "/var/log") -> None:
        self._folder = Path(folder)
        self._run_folder = Path(run_folder)
        self._log_folder = Path(log_folder)

    def detect(self) -> bool:
        """Systemd drives the scripts itself where it is pid 1."""
        return not os.path.isdir("/run/systemd/system") and bool(self._scripts())

    def hint(self) -> object:
        """Pid files come and go in this folder; one in a folder below is found by the next listing."""
        try:
            return os.stat(self._run_folder).st_mtime_ns
        except OSError:
            return None

    def services(self) -> list[Service]:
        """Every script with its state."""
        return [self._service(name, text) for name, text in self._scripts().items()]

    def show(self, unit: str) -> State:
        """By the script's `status`."""
        return self._state(unit, self._text(unit))

    def act(self, verb: str, unit: str, seconds: float) -> Acted:
        """Run the script as `service` would: clean environment, from /."""
        self._text(unit)
        return run([str(self._folder / unit), verb], seconds)

    def logs(self, unit: str, lines: int) -> list[str]:
        """Init scripts have no log of their own."""
        return []

    def read_log(self, unit: str, wanted: Wanted, seconds: float) -> Log:
        """From the file the script names, or the usual ones; they tell no levels."""
        text = self._text(unit)
        named = re.search(r"^\s*(?:#\s*logfile:|LOGFILE=)\s*[\"']?([^\s\"';]+)", text, re.MULTILINE)
        candidates = [Path(_expanded(named.group(1), text))] if named else []
        candidates += [self._log_folder / f"{unit}.log", self._log_folder / unit / f"{unit}.log"]
        for path in candidates:
            try:
                return from_file(str(path), wanted)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ManagerError(f"the log cannot be read: {error}") from error
        return Log([], "", "")

    def _scripts(self) -> dict[str, str]:
        if not self._folder.is_dir():
            return {}
        found = {}
        for path in sorted(self._folder.iterdir()):
            if path.is_file() and os.access(path, os.X_OK):
                text = path.read_text(encoding="utf-8", errors="replace")
                if _knows("status", text):
                    found[path.name] = text
        return found

    def _text(self, unit: str) -> str:
        scripts = {} if "/" in unit else self._scripts()
        if unit not in scripts:
            raise ManagerError(f"there is no init script {unit} that knows status")
        return scripts[unit]

    def _service(self, name: str, text: str) -> Service:
        known = tuple(v for v in ("start", "stop", "restart", "reload") if _knows(v, text))
        verbs = known if os.geteuid() == 0 else ()  # a script changes what only root may
        facts = {
            "description": _header("Short-Description", text)[:200],
            "loadState": "loaded",
            "since": None,
            "unitFileState": "",
            **self._state(name, text),
        }
        return Service(name, self.name, facts, verbs)

    def _state(self, name: str, text: str) -> State:
        done = run([str(self._folder / name), "status"], _STATUS_SEC)
        code = -1 if done.exit_code is None else done.exit_code
        active, sub = _LSB.get(code, ("inactive", "stopped" if code == 3 else f"status {code}"))
        main = main_process(self._pid(name, text, done.output) if active == "active" else 0)
        return {
            "activeState": active,
            "subState": sub,
            **main,
            "result": "success" if active != "failed" else "exit-code",
            "nRestarts": None,
            "memMB": memory_of(main["mainPid"]),
            "tasks": None,
        }

    def _pid(self, name: str, text: str, output: str) -> int:
        named = re.search(r"^\s*(?:#\s*pidfile:|PIDFILE=)\s*[\"']?([^\s\"';]+)", text, re.MULTILINE)
        candidates = [Path(_expanded(named.group(1), text))] if named else []
        candidates += [self._run_folder / f"{name}.pid", self._run_folder / name / f"{name}.pid"]
        for path in candidates:
            try:
                pid = int(path.read_text(encoding="ascii").split()[0])
            except (OSError, ValueError, IndexError):
                continue
            if start_ticks(pid) is not None:
                return pid
        told = _PID.search(output)
        return int(told.group(1)) if told else 0


def _knows(verb: str, text: str) -> bool:
    """Whether the script has a case for the verb."""
    return re.search(rf"^\s*(?:[\w*-]+\s*\|\s*)*[\"']?{verb}[\"']?\s*(?:\|[^)\n]*)?\)", text, re.MULTILINE) is not None


def _expanded(value: str, text: str) -> str:
    """A shell word with the script's own plain assignments put in: $RUNDIR/redis-server.pid."""
    given = dict(re.findall(r"^\s*(\w+)=[\"']?([^\s\"';`]+)", text, re.MULTILINE))
    for _depth in range(4):
        value = re.sub(r"\$\{?(\w+)\}?", lambda name: given.get(name.group(1), name.group(0)), value)
    return value


def _header(name: str, text: str) -> str:
    found = re.search(rf"^#\s*{name}:\s*(.+)$", text, re.MULTILINE)
    return found.group(1).strip() if found else ""
