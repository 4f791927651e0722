"""What a person is told before a command is given: what runs, where, what that did before; and the form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from actions import states, verbs
from actions.command_page import spent
from actions.models import Command
from actions.verdicts import service_word
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Service
from servers.states import SILENT
from servers.wire import LONG, WHOLE

WITHIN = (  # seconds
    (60, gettext_lazy("60 s")),
    (600, gettext_lazy("10 min")),
    (3600, gettext_lazy("1 h")),
    (86_400, gettext_lazy("1 day")),
)
REMEMBERED = 5  # times it was done before


class Confirmation(forms.Form):
    """The reason, how long the command may wait for its server, and the main process as the operator saw it."""

    reason = forms.CharField(
        max_length=200,
        error_messages={
            "required": gettext_lazy("Say why: the audit trail keeps it."),
            "max_length": gettext_lazy("Say it in at most 200 characters."),
        },
    )
    within = forms.TypedChoiceField(choices=WITHIN, coerce=int, initial=60)
    main_pid = forms.IntegerField(min_value=0, max_value=WHOLE, required=False)
    start_ticks = forms.IntegerField(min_value=0, max_value=LONG, required=False)

    def expect(self) -> dict[str, int] | None:
        """The main process the command is meant for; None when none was shown."""
        pid, ticks = self.cleaned_data["main_pid"], self.cleaned_data["start_ticks"]
        return {"mainPid": pid, "startTicks": ticks} if pid and ticks is not None else None


def context(service: Service, cmd: str, form: Confirmation | None = None, problem: str = "") -> dict[str, Any]:
    """What `_confirm.html` shows; form: one that came back with errors, with what was typed."""
    verb, server, name = verbs.VERBS[cmd], service.server, visible(service.name)
    host = show.first_label(visible(server.hostname))
    errors = _errors(form) if form else {}
    return {
        "verb": verb,
        "address": reverse("actions:confirm", args=[server.agent_id, service.name, cmd]),
        "service": service,
        "server": server,
        "host": host,
        "question": verbs.question(cmd, name, host),
        "confirms": verbs.titled(cmd, name.removesuffix(".service")),
        "runs": verbs.line(service.manager, cmd, name),
        "labels": [f"{visible(str(key))}={visible(str(value))}" for key, value in server.labels.items()],
        "state": service.active_state if service.active_state in ("active", "inactive", "failed") else "running",
        "state_word": visible(service_word(service.active_state)),
        "impact": f"{verbs.effect(cmd, service.tasks)} {before(service, cmd)}",
        "silent": server.state == SILENT,
        "within": WITHIN,
        "chosen": (form.data.get("within") if form else None) or "60",
        "reason": form.data.get("reason", "") if form else "",
        "main_pid": form.data.get("main_pid", "") if form else _written(service.main_pid),
        "start_ticks": form.data.get("start_ticks", "") if form else _written(service.start_ticks),
        "error": errors.pop("reason", ""),
        "problem": problem or " ".join(errors.values()),
    }


def _errors(form: Confirmation) -> dict[str, str]:
    found = form.errors.get_json_data()
    return {name: " ".join(error["message"] for error in errors) for name, errors in found.items()}


def before(service: Service, cmd: str) -> str:
    """How the last ones went: "Last 5 restarts here: all succeeded, 1.8 to 2.6 s."; empty when there was none."""
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
