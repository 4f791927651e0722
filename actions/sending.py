"""What a person is told before a process is signalled or reniced: which, where, how it is now; and the form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from actions import delivery, processes, states
from actions.delivery import Delivery
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Newest, Server
from servers.process_rows import STATUS_WORDS
from servers.states import SILENT
from servers.wire import Proc

GLYPHS = {"zombie": "inactive", "stopped": "queued", "tracing stop": "queued", "disk wait": "warning"}
HINTS = {
    "TERM": gettext_lazy("TERM asks the process to end."),
    "HUP": gettext_lazy("HUP makes many services read their settings again, and ends other processes."),
    "INT": gettext_lazy("INT asks the process to end, as Ctrl C does."),
    "KILL": gettext_lazy("KILL ends the process at once: it cannot save or tidy up anything."),
    "STOP": gettext_lazy("STOP halts the process where it is, until CONT."),
    "CONT": gettext_lazy("CONT lets a stopped process go on."),
    "USR1": gettext_lazy("What USR1 does, the process decides; one that does not know it ends."),
    "USR2": gettext_lazy("What USR2 does, the process decides; one that does not know it ends."),
    states.RENICE: gettext_lazy("−20 comes first, 19 comes last when processors are busy; 0 is usual."),
}
CHOICES = [(name, name) for name in HINTS]
PLACED = ("nice", "typed", "reason", "until")  # what is wrong with them is said beside them
UNDONE = ("STOP", "CONT", states.RENICE)  # another command takes these back


class Sending(Delivery):
    """What to do to the process, why, and the process as the operator saw it."""

    do = forms.ChoiceField(choices=CHOICES)
    nice = forms.IntegerField(
        min_value=processes.NICE[0],
        max_value=processes.NICE[1],
        required=False,
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"), gettext_lazy("Use a whole number from −20 to 19.")
        ),
    )
    typed = forms.CharField(required=False, max_length=255)
    reason = forms.CharField(
        max_length=200,
        error_messages={
            "required": gettext_lazy("Say why: the audit trail keeps it."),
            "max_length": gettext_lazy("Say it in at most 200 characters."),
        },
    )
    name = forms.CharField(max_length=255, strip=False)
    boot_id = forms.CharField(max_length=255)

    def __init__(self, data: Any, server: Server) -> None:
        super().__init__(data)
        self.server = server

    def clean(self) -> dict[str, Any]:
        """KILL wants the process or the server named, renice a number."""
        given: dict[str, Any] = super().clean() or {}
        name, host = visible(given.get("name", "")), visible(self.server.hostname)
        if given.get("do") == "KILL" and given.get("typed", "") not in (name, host, show.first_label(host)):
            self.add_error("typed", _("Type %(name)s or %(host)s.") % {"name": name, "host": show.first_label(host)})
        if given.get("do") == states.RENICE and given.get("nice") is None and "nice" not in self.errors:
            self.add_error("nice", _("Use a whole number from −20 to 19."))
        return given

    def command(self, pid: int, ticks: int) -> tuple[str, dict[str, Any]]:
        """The verb and its arguments."""
        given = self.cleaned_data
        args = {"bootId": given["boot_id"], "pid": pid, "startTicks": ticks}
        if given["do"] == states.RENICE:
            return states.RENICE, {**args, "nice": given["nice"]}
        return states.SIGNAL, {**args, "signal": given["do"]}


def context(
    server: Server, pid: int, ticks: int, *, do: str = "", form: Sending | None = None, problem: str = ""
) -> dict[str, Any]:
    """What `_sending.html` shows; form: one that came back with errors; without a process only why there is none."""
    newest = Newest.objects.filter(server=server).first()
    proc = processes.find(newest, pid)
    offered = processes.offered(newest.facts, proc) if newest and proc and proc.start_ticks == ticks else ()
    host, errors = show.first_label(visible(server.hostname)), _errors(form) if form else {}
    shown = {
        "server": server,
        "host": host,
        "address": reverse("actions:process", args=[server.agent_id, pid, ticks]),
        "silent": server.state == SILENT,
    }
    if newest is None or proc is None or not offered:
        why = problem or _why_not(server, pid, ticks, proc)
        return {**shown, "question": _("PID %(pid)s on %(where)s") % {"pid": pid, "where": host}, "problem": why}
    name = visible(proc.name)
    choices = _choices(offered, (form.data.get("do") if form else do) or "")
    return {
        **shown,
        "proc": proc,
        "name": name,
        "question": _("Signal %(name)s, PID %(pid)s, on %(where)s?") % {"name": name, "pid": pid, "where": host},
        "cmdline": visible(proc.cmdline),
        "labels": [f"{visible(str(key))}={visible(str(value))}" for key, value in server.labels.items()],
        "glyph": GLYPHS.get(proc.status, "active"),
        "status": STATUS_WORDS.get(proc.status, visible(proc.status)),
        "now": _now(proc, newest),
        "boot_id": newest.facts.get("bootId"),
        "choices": choices,
        "chosen": next(choice for choice in choices if choice["on"]),
        "renices": states.RENICE in offered,
        "kills": states.SIGNAL in offered,
        "errors": errors,
        "given": {name: form.data.get(name, "") for name in ("nice", "typed", "reason")} if form else {},
        **delivery.context(form),
        "problem": problem or " ".join(said for field, said in errors.items() if field not in PLACED),
    }


def _choices(offered: tuple[str, ...], wanted: str) -> list[dict[str, Any]]:
    """The radio buttons: each with its word, its hint, what the confirming button says, and whether it is dangerous."""
    names = [name for name in HINTS if (states.RENICE if name == states.RENICE else states.SIGNAL) in offered]
    on = wanted if wanted in names else names[0]
    return [
        {
            "name": name,
            "word": _("Renice") if name == states.RENICE else name,
            "hint": HINTS[name],
            "button": _("Renice") if name == states.RENICE else _("Send %(signal)s") % {"signal": name},
            "danger": name not in UNDONE,
            "on": name == on,
        }
        for name in names
    ]


def _why_not(server: Server, pid: int, ticks: int, proc: Proc | None) -> str:
    if proc is None:
        return _("There is no process with PID %(pid)s in the newest report.") % {"pid": pid}
    if proc.start_ticks != ticks:
        words = {"pid": pid, "name": visible(proc.name)}
        return _("PID %(pid)s is another process than the one you saw: now it is %(name)s.") % words
    words = {"where": server.agent_id, "name": visible(proc.name)}
    return _("%(where)s's agent or its owner does not let %(name)s be signalled or reniced.") % words


def _now(proc: Proc, newest: Newest) -> list[str]:
    """The process's user, CPU and memory, and since when it runs."""
    started = _started(proc, newest.facts)
    parts = [
        _("user %(user)s") % {"user": visible(proc.user)} if proc.user else "",
        "" if proc.cpu is None else format_html("CPU {}", show.percent(proc.cpu, 1)),
        f"{show.plain(round(proc.mem_mb))} MB",
        format_html(_("started {}"), show.at(started, "full")) if started else "",
    ]
    return [part for part in parts if part]


def _started(proc: Proc, facts: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromtimestamp(facts["bootTime"] + (proc.start_ticks or 0) / facts["ticksPerSec"], UTC)
    except (KeyError, TypeError, ZeroDivisionError, ValueError, OverflowError, OSError):
        return None  # not told, or past what a calendar can tell


def _errors(form: Sending) -> dict[str, str]:
    found = form.errors.get_json_data()
    return {name: " ".join(error["message"] for error in errors) for name, errors in found.items()}
