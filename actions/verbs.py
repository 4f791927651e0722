"""The verbs and states of commands in words: what a button says, what a service at work is doing, what it costs."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from actions import states
from pmonitor.templatetags import show

STATE_WORDS: dict[str, Any] = {
    states.QUEUED: _("Queued"),
    states.DELIVERED: _("Delivered"),
    states.RUNNING: pgettext_lazy("command", "Running"),
    states.SUCCEEDED: _("Succeeded"),
    states.FAILED: pgettext_lazy("command", "Failed"),
    states.UNKNOWN: _("Timed out"),
    states.REFUSED: _("Refused"),
    states.CANCELLED: _("Cancelled"),
    states.EXPIRED: _("Expired"),
}


def state_word(state: str, verdict: str = "") -> str:
    """A command's state in a word; unknown says what happened, where that was no time-out."""
    if state == states.UNKNOWN and verdict != "timed_out":
        return gettext("Outcome unknown")
    return str(STATE_WORDS.get(state, state))


class Verb(NamedTuple):
    """A verb as the pages say it."""

    name: str
    button: Any  # "Restart"
    again: Any  # "Restart again…"
    doing: Any  # "Restarting"
    icon: str
    titled: Any  # "Restart %(target)s", where one string is needed
    asking: Any  # "Restart %(target)s on %(where)s?"


VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb(
            states.START, _("Start"), _("Start again…"), _("Starting"), "play",
            _("Start %(target)s"), _("Start %(target)s on %(where)s?"),
        ),
        Verb(
            states.STOP, _("Stop"), _("Stop again…"), _("Stopping"), "stop",
            _("Stop %(target)s"), _("Stop %(target)s on %(where)s?"),
        ),
        Verb(
            states.RESTART, _("Restart"), _("Restart again…"), _("Restarting"), "restart",
            _("Restart %(target)s"), _("Restart %(target)s on %(where)s?"),
        ),
        Verb(
            states.RELOAD, _("Reload"), _("Reload again…"), _("Reloading"), "restart",
            _("Reload %(target)s"), _("Reload %(target)s on %(where)s?"),
        ),
        Verb(
            states.SIGNAL, _("Signal"), _("Signal again…"), _("Signalling"), "signal",
            _("Signal %(target)s"), _("Signal %(target)s on %(where)s?"),
        ),
        Verb(
            states.RENICE, _("Renice"), _("Renice again…"), _("Renicing"), "signal",
            _("Renice %(target)s"), _("Renice %(target)s on %(where)s?"),
        ),
        Verb(
            states.EXTEND, _("Extend…"), _("Extend again…"), _("Extending"), "clock",
            _("Extend the stop of %(target)s"), _("Extend the stop of %(target)s on %(where)s?"),
        ),
        Verb(
            states.KEEP, _("Keep stopped"), _("Keep stopped again…"), _("Keeping stopped"), "stop",
            _("Keep %(target)s stopped"), _("Keep %(target)s stopped on %(where)s?"),
        ),
    )
}  # fmt: skip
LENT: dict[str, Any] = {
    states.STOP: _("Stop %(target)s for %(time)s"),
    states.EXTEND: _("Extend the stop of %(target)s to %(time)s from now"),
}
# What is offered in which state; reload and restart of a stopped service start it or fail, so only restart stays.
OFFERED = {
    "active": (states.STOP, states.RESTART, states.RELOAD),
    "reloading": (states.STOP, states.RESTART),
    "inactive": (states.START, states.RESTART),
    "failed": (states.START, states.RESTART),
}
OFFERED_LENT = (states.START, states.EXTEND, states.KEEP)  # stopped for a time
OFFERED_ELSE = (states.START, states.STOP, states.RESTART)


def offered(active_state: str, possible: list[str], lent: bool = False) -> list[Verb]:
    """Of the possible verbs, those that make sense for a service in this state; lent: it is stopped for a time."""
    names = OFFERED_LENT if lent and active_state != "active" else OFFERED.get(active_state, OFFERED_ELSE)
    return [
        VERBS[name]
        for name in names
        if {states.EXTEND: states.STOP, states.KEEP: states.STOP}.get(name, name) in possible
    ]


def not_allowed(where: str, cmd: str, target: str) -> str:
    """Why what the service can do is not done: "web-01's owner does not allow restart of nginx.service"."""
    words = {"where": where, "cmd": cmd, "target": target}
    return gettext("%(where)s's owner does not allow %(cmd)s of %(target)s") % words


def titled(cmd: str, target: str, args: dict[str, Any] | None = None) -> str:
    """ "Restart nginx.service", "Send TERM to sleep[4711]"."""
    if cmd == states.SIGNAL and args and "signal" in args:
        return gettext("Send %(signal)s to %(target)s") % {"signal": args["signal"], "target": target}
    if cmd == states.RENICE and args and "nice" in args:
        return gettext("Renice %(target)s to %(nice)s") % {"nice": args["nice"], "target": target}
    verb, seconds = VERBS.get(cmd), (args or {}).get("forSec")
    if seconds and cmd in LENT:
        return str(LENT[cmd]) % {"target": target, "time": length(seconds)}
    return str(verb.titled) % {"target": target} if verb else f"{cmd} {target}"


def length(seconds: int) -> str:
    """A time that somebody chose, exactly: "20 min", "4 h"."""
    size, unit = next((size, unit) for size, unit in ((3600, "h"), (60, "min"), (1, "s")) if seconds % size == 0)
    return f"{show.plain(seconds // size)} {show.unit_words()[unit]}"


def question(cmd: str, target: str, where: str) -> str:
    """ "Restart nginx.service on web-buh-07?", which other languages do not make of the title."""
    return str(VERBS[cmd].asking) % {"target": target, "where": where}


def line(manager: str, cmd: str, target: str) -> str:
    """The command line the agent runs, as an operator would type it."""
    if cmd in states.LEASE_VERBS:
        return gettext("nothing; only what the agent has noted changes")
    if manager == "sysv":
        return f"service {target} {cmd}"
    program = "supervisorctl" if manager == "supervisord" else "systemctl"
    return f"{program} {cmd} {target}"


def process_line(args: dict[str, Any]) -> str:
    """The same for a command on a process, by its arguments."""
    if "signal" in args:
        return f"kill -{args['signal']} {args.get('pid')}"
    return f"renice -n {args.get('nice')} -p {args.get('pid')}"


def effect(cmd: str, processes: int | None) -> str:
    """What the command does to the service's running processes."""
    if cmd == states.START:
        return gettext("Its processes start.")
    if cmd == states.EXTEND:
        return gettext("It stays stopped, and its agent starts it again that long from now, whatever was planned.")
    if cmd == states.KEEP:
        return gettext("It stays stopped, and nothing starts it by itself.")
    if cmd == states.RELOAD:
        return gettext("It reads its configuration again; its processes stay.")
    if cmd == states.STOP:
        if not processes:
            return gettext("Its processes end.")
        return ngettext("Its %(n)s process ends.", "Its %(n)s processes end.", processes) % {"n": processes}
    if not processes:
        return gettext("Its processes end and start again.")
    return ngettext(
        "Its %(n)s process ends and starts again.", "Its %(n)s processes end and start again.", processes
    ) % {"n": processes}


def before_here(cmd: str, times: int) -> str:
    """ "Last 5 restarts here" for the sentence on how they went."""
    said = {
        states.START: ngettext("Last start here", "Last %(n)s starts here", times),
        states.STOP: ngettext("Last stop here", "Last %(n)s stops here", times),
        states.RESTART: ngettext("Last restart here", "Last %(n)s restarts here", times),
        states.RELOAD: ngettext("Last reload here", "Last %(n)s reloads here", times),
    }[cmd]
    return said % {"n": times}
