"""What a person is told before a command is given: what runs, where, what that did before; and the form."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from actions import copies, delivery, leases, protection, states, verbs
from actions.command_page import spent
from actions.delivery import Delivery
from actions.models import Command
from actions.verdicts import service_word, trigger_sentence
from pmonitor.problems import Problem
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Server, Service
from servers.states import SILENT
from servers.wire import LONG, WHOLE

REMEMBERED = 5  # times it was done before


LENT = ((600, 600), (1200, 1200), (3600, 3600), (14_400, 14_400))  # seconds that a service may be stopped for


class Confirmation(Delivery):
    """The reason, how long the command may wait for its server, and the main process as the operator saw it."""

    reason = forms.CharField(
        max_length=200,
        error_messages={
            "required": gettext_lazy("Say why: the audit trail keeps it."),
            "max_length": gettext_lazy("Say it in at most 200 characters."),
        },
    )
    lent = forms.TypedChoiceField(
        choices=[("", ""), *LENT],
        coerce=int,
        required=False,
        empty_value=None,
        error_messages={"required": gettext_lazy("Choose for how long it stays stopped.")},
    )
    typed = forms.CharField(max_length=255, required=False)
    active_state = forms.CharField(max_length=40, required=False)
    main_pid = forms.IntegerField(min_value=0, max_value=WHOLE, required=False)
    start_ticks = forms.IntegerField(min_value=0, max_value=LONG, required=False)

    def __init__(self, data: Any, cmd: str) -> None:
        super().__init__(data)
        self.fields["lent"].required = cmd == states.EXTEND

    def args(self) -> dict[str, int]:
        """For a stop: for how long; nothing when it is for good."""
        return {"forSec": self.cleaned_data["lent"]} if self.cleaned_data["lent"] else {}

    def expect(self) -> dict[str, Any] | None:
        """The service as it was shown: whether it ran, and its main process; None when nothing was."""
        state, pid, ticks = (self.cleaned_data[name] for name in ("active_state", "main_pid", "start_ticks"))
        seen: dict[str, Any] = {"activeState": state} if runs(state) is not None else {}
        return {**seen, **({"mainPid": pid, "startTicks": ticks} if pid and ticks is not None else {})} or None

    def moved(self, service: Service) -> str:
        """What is otherwise now than the operator saw it, in a sentence; empty when nothing is."""
        seen = self.expect() or {}
        was, now = runs(seen.get("activeState", "")), runs(service.active_state)
        if None not in (was, now) and was != now:
            words = {"was": service_word(seen["activeState"]), "now": service_word(service.active_state)}
            return _("It changed since you looked: it was %(was)s and is %(now)s now. Nothing was done.") % words
        pid, ticks = seen.get("mainPid"), seen.get("startTicks")
        if pid and service.main_pid and (pid, ticks) != (service.main_pid, service.start_ticks):
            sentence = _("It changed since you looked: its main process is PID %(now)s now. Nothing was done.")
            return sentence % {"now": service.main_pid}
        return ""

    def take(self, problem: Problem) -> str:
        """Put what a refusal says of the form's fields under them; returns the sentence that is left to show."""
        ours = {name: said for name, said in problem.fields.items() if name in self.fields}
        for name, said in ours.items():
            self.add_error(name, said)
        return "" if ours and ours == problem.fields else problem.sentence


def runs(active_state: str) -> bool | None:
    """Whether a service in this state runs; None while it is on its way somewhere."""
    return {"active": True, "reloading": True, "inactive": False, "failed": False}.get(active_state)


def context(
    service: Service, cmd: str, form: Confirmation | None = None, problem: str = "", chosen: str = ""
) -> dict[str, Any]:
    """What `_confirm.html` shows; form: one that came back with errors, with what was typed; chosen: for how long."""
    verb, server, name = verbs.VERBS[cmd], service.server, visible(service.name)
    host = show.first_label(visible(server.hostname))
    errors, lent = _errors(form) if form else {}, _lent(service, cmd, (form.data.get("lent") if form else chosen) or "")
    kind = protection.kind_of(cmd, service.name)
    return {
        "verb": verb,
        "address": reverse("actions:confirm", args=[server.agent_id, service.name, cmd]),
        "service": service,
        "server": server,
        "host": host,
        "question": verbs.question(cmd, name, host),
        "confirms": next((one["says"] for one in lent if one["chosen"]), _confirms(cmd, name)),
        "lent": lent,
        "runs": verbs.line(service.manager, cmd, name),
        "labels": [f"{visible(str(key))}={visible(str(value))}" for key, value in server.labels.items()],
        "state": service.active_state if service.active_state in ("active", "inactive", "failed") else "running",
        "state_word": visible(service_word(service.active_state)),
        "impact": " ".join((verbs.effect(cmd, service.tasks), *_comes_back(service, cmd), before(service, cmd))),
        "silent": server.state == SILENT,
        **delivery.context(form),
        "later": _later(server, service.name, cmd),
        "reason": form.data.get("reason", "") if form else "",
        "typed_name": name.removesuffix(".service"),
        "typed": form.data.get("typed", "") if form else "",
        # What "Now" shows: a form that comes back shows the service as it is now, and carries that.
        "active_state": service.active_state,
        "main_pid": _written(service.main_pid),
        "start_ticks": _written(service.start_ticks),
        "protected": protection.sentence(kind) if kind else "",
        "copies": copies.of(service, cmd),
        "error": errors.pop("reason", ""),
        "typed_error": errors.pop("typed", ""),
        "problem": problem or " ".join(said for name, said in errors.items() if name != "until"),
    }


def _comes_back(service: Service, cmd: str) -> list[str]:
    """Who starts the service again after a stop."""
    if cmd != states.STOP or not service.triggered_by:
        return []
    return [trigger_sentence([*map(visible, service.triggered_by)])]


def _later(server: Server, name: str, cmd: str) -> str:
    """The address of the form that schedules it; empty for what is not done by itself."""
    if cmd not in states.SERVICE_VERBS:
        return ""
    return f"{reverse('schedules:new')}?{urlencode({'server': server.agent_id, 'target': name, 'cmd': cmd})}"


def _errors(form: Confirmation) -> dict[str, str]:
    found = form.errors.get_json_data()
    return {name: " ".join(error["message"] for error in errors) for name, errors in found.items()}


def _confirms(cmd: str, name: str, seconds: int | None = None) -> str:
    return verbs.titled(cmd, name.removesuffix(".service"), {"forSec": seconds})


def _lent(service: Service, cmd: str, chosen: str) -> list[dict[str, Any]]:
    """The choices of how long it stays stopped, each with what the button says then; none where that cannot be."""
    lends = cmd == states.STOP and {states.STOP, states.START} <= set(service.verbs)
    if not (cmd == states.EXTEND or (lends and leases.can_lend(service.server))):
        return []
    for_good = [("", "—", None)] if lends else []
    offered = [*for_good, *((str(seconds), verbs.length(seconds), seconds) for seconds, _value in LENT)]
    name = visible(service.name)
    found = chosen if chosen in [value for value, *_rest in offered] else offered[0][0]
    return [
        {"value": value, "word": word, "says": _confirms(cmd, name, seconds), "chosen": value == found}
        for value, word, seconds in offered
    ]


def before(service: Service, cmd: str) -> str:
    """How the last ones went: "Last 5 restarts here: all succeeded, 1.8 to 2.6 s."; empty when there was none."""
    if cmd in states.LEASE_VERBS:
        return ""
    past = Command.objects.filter(
        server=service.server_id, target=service.name, cmd=cmd, state__in=(states.SUCCEEDED, states.FAILED)
    ).exclude(Q(started_at=None) | Q(ended_at=None))[:REMEMBERED]
    ended = list(past.values_list("state", "started_at", "ended_at"))
    if not ended:
        return ""
    seconds = sorted((end - start).total_seconds() for _state, start, end in ended if start and end)
    least, most = spent(seconds[0]), spent(seconds[-1])
    range_ = least if least == most else _("%(least)s to %(most)s") % {"least": show.plain(seconds[0], 1), "most": most}
    return f"{verbs.before_here(cmd, len(ended))}: {_fared([state for state, *_rest in ended])}, {range_}."


def _fared(ended: list[str]) -> str:
    good = ended.count(states.SUCCEEDED)
    if len(ended) == 1:
        return _("succeeded") if good else _("failed")
    if good == len(ended):
        return _("all succeeded")
    return _("%(good)s of %(all)s succeeded") % {"good": good, "all": len(ended)}


def _written(number: int | None) -> str:
    return "" if number is None else str(number)
