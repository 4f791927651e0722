"""Processes as targets of commands: which may be signalled or reniced, and whether the one meant is still there."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from actions import states, verbs
from actions.models import Command
from pmonitor.problems import Problem
from pmonitor.visible import visible
from servers import proctable
from servers.models import Newest, Server
from servers.wire import Proc

FEATURE = "signals"  # of an agent that can
SIGNALS = ("TERM", "HUP", "INT", "KILL", "STOP", "CONT", "USR1", "USR2")
NICE = (-20, 19)
KTHREADD = 2  # the kernel's threads descend from it


def target(name: str, pid: int) -> str:
    """What a command on a process is aimed at: "nginx[4711]"."""
    return f"{name}[{pid}]"


def offered(facts: dict[str, Any], proc: Proc) -> tuple[str, ...]:
    """What may be tried on this process, by what its agent reports it can and its owner allows; the agent judges."""
    if FEATURE not in (facts.get("features") or ()) or not facts.get("bootId") or proc.start_ticks is None:
        return ()
    if proc.pid <= KTHREADD or (proc.ppid == KTHREADD and not proc.cmdline):
        return ()
    return _allowed(tuple(facts.get("allow") or ()), proc.name)


@lru_cache(maxsize=20_000)
def _allowed(entries: Sequence[str], name: str) -> tuple[str, ...]:
    rules = [(verbs_.split(","), pattern) for verbs_, _colon, pattern in (entry.partition(":") for entry in entries)]
    return tuple(
        verb
        for verb in states.PROCESS_VERBS
        if any((verb in named or named == ["*"]) and fnmatchcase(name, pattern) for named, pattern in rules)
    )


def find(newest: Newest | None, pid: int) -> Proc | None:
    """The process of that pid in the server's newest report."""
    procs = proctable.unpack(newest.procs) if newest and newest.procs else []
    return next((proc for proc in procs if proc.pid == pid), None)


def is_there(command: Command) -> bool:
    """Whether the process a command was aimed at is in its server's newest report, and the verb still offered."""
    newest = Newest.objects.filter(server=command.server_id).first()
    proc = find(newest, int(command.args.get("pid", 0)))
    if newest is None or proc is None or _not_the_one(newest, proc, command.target, command.args):
        return False
    return command.cmd in offered(newest.facts, proc)


def check(server: Server, cmd: str, aimed_at: str, args: dict[str, Any]) -> dict[str, Any]:
    """The process as the newest report has it; Problem 409 when it is not the one meant, or may not be told so."""
    newest = Newest.objects.filter(server=server).first()
    if newest is None or FEATURE not in (newest.facts.get("features") or ()):
        raise Problem(409, _("The agent of this server cannot signal or renice processes."))
    proc = find(newest, args["pid"])
    if why := _not_the_one(newest, proc, aimed_at, args):
        raise Problem(409, why)
    assert proc is not None  # noqa: S101 - else there was a why
    if cmd not in offered(newest.facts, proc):
        raise Problem(409, verbs.not_allowed(server.agent_id, cmd, visible(proc.name)) + ".")
    return {"name": proc.name, "user": proc.user, "cmdline": proc.cmdline}


def _not_the_one(newest: Newest, proc: Proc | None, aimed_at: str, args: dict[str, Any]) -> str:
    words = {"pid": args["pid"], "name": visible(proc.name) if proc else ""}
    if newest.facts.get("bootId") != args["bootId"]:
        return _("The server was started again since you looked: that process is no more.")
    if proc is None:
        return _("There is no process with PID %(pid)s in the newest report.") % words
    if proc.start_ticks != args["startTicks"]:
        return _("PID %(pid)s is another process than the one you saw: now it is %(name)s.") % words
    if aimed_at != target(proc.name, proc.pid):
        return _("The process with PID %(pid)s is called %(name)s now.") % words
    return ""
