"""The form that makes and changes schedules. Whether the values make sense, moves.py says; here they are only read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from actions import delivery, verbs, verdicts, zones
from actions.schedules import moves, times
from actions.schedules.models import Schedule
from actions.schedules.moves import Plan
from pmonitor.problems import Problem
from servers.models import Server

FIELDS = {  # a field's name on the wire: its name here
    "agent": "server", "target": "target", "cmd": "cmd", "onceAt": "at", "cron": "cron", "timeZone": "zone",
    "reason": "reason", "deliverWithinSec": "within", "typed": "typed",
}  # fmt: skip
NO_SUCH_TIME = {"invalid": gettext_lazy("Write a date and time such as 2026-11-28 03:00.")}


class ScheduleForm(forms.Form):
    """What, where, when and why; `changed` is the schedule that it changes, whose server and service stay."""

    server = forms.CharField(max_length=255, error_messages={"required": gettext_lazy("Name the server.")})
    target = forms.CharField(max_length=255, error_messages={"required": gettext_lazy("Name the service.")})
    cmd = forms.ChoiceField(choices=[(name, verbs.VERBS[name].button) for name in moves.CMDS])
    at = forms.DateTimeField(input_formats=delivery.WRITTEN, required=False, error_messages=NO_SUCH_TIME)
    cron = forms.CharField(max_length=times.LENGTH, required=False)
    zone = forms.CharField(max_length=64, required=False)  # empty: the server's
    reason = forms.CharField(
        max_length=200, error_messages={"required": gettext_lazy("Say why: the audit trail keeps it.")}
    )
    within = forms.IntegerField()
    typed = forms.CharField(max_length=255, required=False)

    def __init__(self, user: Any, *args: Any, changed: Schedule | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user, self.changed = user, changed
        self.where: Server | None = changed.server if changed else None
        if changed:
            for name in ("server", "target", "cmd"):
                del self.fields[name]

    def clean_server(self) -> str:
        """Find the server in the person's scope, by the agent's id or the host name."""
        name: str = self.cleaned_data["server"]
        self.where = server_named(self.user, name)
        if self.where is None:
            raise forms.ValidationError(_("There is no such server in your scope."))
        return name

    def plan(self) -> Plan:
        """What was filled in; the form is valid."""
        given, base = self.cleaned_data, self.changed and moves.plan_of(self.changed)
        zone = given["zone"] or (zones.of_server(self.where.pk) if self.where else zones.UNKNOWN)
        made = {
            "cmd": base.cmd if base else given["cmd"],
            "target": base.target if base else given["target"],
            "reason": given["reason"],
            "once_at": moment(given["at"], zone),
            "cron": given["cron"],
            "zone": zone,
            "deliver_within_sec": given["within"],
            "typed": given["typed"] or (base.typed if base else ""),
        }
        return base._replace(**made) if base else Plan(**made)

    def take(self, problem: Problem) -> str:
        """Put what a refusal says of fields under them; returns the sentence that is left to show."""
        ours = {FIELDS[name]: said for name, said in problem.fields.items() if FIELDS.get(name) in self.fields}
        for name, said in ours.items():
            self.add_error(name, said)
        return "" if ours and len(ours) == len(problem.fields) else problem.sentence


def server_named(user: Any, name: str) -> Server | None:
    """The server of that agent's id or host name in the person's scope."""
    name = name.strip().replace("\0", "")
    found: Server | None = Server.objects.visible_to(user).filter(Q(agent_id=name) | Q(hostname=name)).first()
    return found


def moment(at: datetime | None, zone: str) -> datetime | None:
    """What was written as a time of day in a zone, in UTC."""
    return zones.moment(at.replace(tzinfo=None), zones.known(zone)) if at else None


def read_time(text: str) -> datetime | None:
    """What a date and time field holds; None while it is not whole."""
    try:
        found: datetime | None = ScheduleForm.base_fields["at"].clean(text)
    except forms.ValidationError:
        return None
    return found


def filled(schedule: Schedule) -> dict[str, Any]:
    """What the form shows of a schedule that is to be changed."""
    at = schedule.once_at and zones.there(schedule.once_at, schedule.zone)
    return {
        "at": f"{at:%Y-%m-%dT%H:%M}" if at else "",
        "cron": schedule.cron,
        "zone": schedule.zone if schedule.zone != zones.of_server(schedule.server_id) else "",
        "reason": schedule.reason,
        "within": str(schedule.deliver_within_sec),
    }


def withins(chosen: str) -> list[tuple[str, Any]]:
    """How long a run may wait for its server; what a program chose is among them."""
    given = list(delivery.WITHIN)
    if chosen.isdecimal() and len(chosen) < 9 and chosen not in dict(given):
        given.append((chosen, verdicts.span(int(chosen))))
    return given
