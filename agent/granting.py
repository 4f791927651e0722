"""Puts what ALLOW says before this machine's polkit, or sudo, and the agent's unit; only what differs is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from agent import grants
from agent.allow import Allow
from agent.logs import log
from agent.managers import systemd
from agent.managers.base import ManagerError, run

RULE = Path("/etc/polkit-1/rules.d/50-pmonitor-agent.rules")
SUDOERS = Path("/etc/sudoers.d/pmonitor-agent")
DROP_IN = Path("/etc/systemd/system/pmonitor-agent.service.d/grants.conf")
_FIRST_WITH_RULES = (0, 106)
_SEC = 30.0


def way() -> str:
    """What gives the agent's user its rights here: polkit where it reads rules, else sudo, or "" for neither."""
    if _polkit_version() >= _FIRST_WITH_RULES:
        return grants.POLKIT
    return grants.SUDO if shutil.which("sudo") and shutil.which("visudo") else ""


def grant(allow: Allow) -> None:
    """Write the rights; needs root. What cannot be written is logged: the agent holds to ALLOW without it."""
    by = way()
    for problem in grants.problems(allow, by):
        log.error(problem)
    _put(RULE, grants.polkit_rule(allow) if by == grants.POLKIT else "", 0o644)
    _put(SUDOERS, grants.sudoers(allow, systemd.path()) if by == grants.SUDO else "", 0o440, _is_sudoers)
    if _put(DROP_IN, grants.drop_in(allow, by), 0o644):
        _do(["systemctl", "daemon-reload"])  # for the program that this start goes on to


def _polkit_version() -> tuple[int, ...]:
    if not shutil.which("pkaction"):
        return ()
    words = _do(["pkaction", "--version"]).split()
    numbers = words[-1].split(".") if words else []
    return tuple(int(number) for number in numbers if number.isdigit())


def _put(path: Path, text: str, mode: int, is_right: Callable[[Path], bool] = Path.exists) -> bool:
    """Make the file this text, or be gone where there is none; whether that changed anything."""
    try:
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if old == text:
            return False
        if not text:
            path.unlink()
            return True
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")  # a name that none of the three reads
        new.write_text(text, encoding="utf-8")
        os.chmod(new, mode)
        if not is_right(new):
            new.unlink()
            path.unlink(missing_ok=True)  # the old one may give more than ALLOW says now
            log.error("left out: it would be wrong", extra={"file": str(path)})
            return True
        os.replace(new, path)
    except OSError as error:
        log.error("cannot be written", extra={"file": str(path), "error": str(error)})
        return False
    log.info("written", extra={"file": str(path)})
    return True


def _is_sudoers(path: Path) -> bool:
    return run(["visudo", "-c", "-q", "-f", str(path)], _SEC).exit_code == 0


def _do(argv: list[str]) -> str:
    try:
        done = run(argv, _SEC)
    except ManagerError as error:
        log.error(str(error))
        return ""
    if done.exit_code != 0:
        log.error("failed", extra={"command": done.command, "output": done.output})
    return done.output
