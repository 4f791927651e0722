"""The forms about silences. Whether the values make sense, silences.py says; here they are only read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy

from actions import delivery, verdicts, zones
from actions.schedules import times
from actions.schedules.forms import moment
from alerts.models import Incident, Rule, Silence
from alerts.quiet import silences
from alerts.quiet.silences import Plan
from alerts.rules import scopes
from pmonitor.problems import Problem

FIELDS = {  # a field's name on the wire: its name here
    "reason": "reason", "scope": "scope", "rule": "rule", "startsAt": "at", "endsAt": "until", "cron": "cron",
    "durationSec": "length", "timeZone": "zone",
}  # fmt: skip
NO_SUCH_TIME = {"invalid": gettext_lazy("Write a date and time such as 2026-11-28 03:00.")}
NO_REASON = {"required": gettext_lazy("Say why: the audit trail keeps it.")}
HOUR, DAY = 3_600, 86_400
LENGTHS = (900, 1_800, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR, DAY, 3 * DAY, 7 * DAY)  # seconds


class ZonedForm(forms.Form):
    """A form with times of day, which are meant by the clock of its zone."""

    zone = forms.CharField(max_length=64, required=False)  # empty: UTC

    def take(self, problem: Problem) -> str:
        """Put what a refusal says of fields under them; returns the sentence that is left to show."""
        ours = {FIELDS[name]: said for name, said in problem.fields.items() if FIELDS.get(name) in self.fields}
        for name, said in ours.items():
            if name not in self.errors:  # what cannot be read is told alone
                self.add_error(name, said)
        return "" if self.errors and len(ours) == len(problem.fields) else problem.sentence

    def moment(self, name: str) -> Any:
        """What a field says, in UTC; None when it is empty or cannot be read."""
        return moment(self.cleaned_data.get(name), self.where)

    @property
    def where(self) -> str:
        """The zone's name as it was written."""
        zone: str = self.cleaned_data.get("zone") or zones.UNKNOWN
        return zone


class SilenceForm(ZonedForm):
    """Why, of what, and when: once, from `at` for `length` or until `until`; or for `length` at each time of `cron`."""

    reason = forms.CharField(
        max_length=silences.REASON_LENGTH,
        error_messages={"required": gettext_lazy("Say why: the audit trail keeps it.")},
    )
    scope = forms.CharField(max_length=scopes.LENGTH, required=False)
    rule = forms.ModelChoiceField(Rule.objects.kept(), required=False)
    at = forms.DateTimeField(input_formats=delivery.WRITTEN, required=False, error_messages=NO_SUCH_TIME)
    until = forms.DateTimeField(input_formats=delivery.WRITTEN, required=False, error_messages=NO_SUCH_TIME)
    length = forms.IntegerField(min_value=60, max_value=366 * DAY)
    cron = forms.CharField(max_length=times.LENGTH, required=False)

    def plan(self) -> Plan:
        """What was filled in, as far as it could be read; for an hour where the length is what could not."""
        given, starts, ends = self.cleaned_data, self.moment("at"), self.moment("until")
        cron, length = given.get("cron", "").strip(), given.get("length", HOUR)
        if not cron and ends is None:
            ends = (starts or timezone.now()) + timedelta(seconds=length)
        return Plan(
            reason=given.get("reason", ""),
            scope=given.get("scope", ""),
            rule=given.get("rule"),
            starts_at=starts,
            ends_at=ends,
            cron=cron,
            duration_sec=length if cron else None,
            zone=self.where,
        )


class EndForm(ZonedForm):
    """Another end; empty, of windows alone: none."""

    until = forms.DateTimeField(input_formats=delivery.WRITTEN, required=False, error_messages=NO_SUCH_TIME)


def filled(user: Any, incident: Incident | None) -> dict[str, str]:
    """What a new form begins with: as much as the user may silence, or the incident's rule on its server."""
    line = scopes.reach_of(user).line
    given = {"scope": line, "length": str(HOUR)}
    if incident is None:
        return given
    if incident.server is not None:
        line = f"{line} {incident.server.agent_id}".strip()
    elif not line:
        line = incident.rule.scope
    return {**given, "scope": line, "rule": str(incident.rule_id)}


def end_of(silence: Silence) -> dict[str, str]:
    """What the form with another end begins with, by the clock of the silence."""
    ends = silence.ends_at and zones.there(silence.ends_at, silence.zone)
    return {"until": f"{ends:%Y-%m-%dT%H:%M}" if ends else "", "zone": silence.zone}


def lengths(chosen: str) -> list[tuple[str, str]]:
    """How long; what was given is among them."""
    given = {str(seconds): verdicts.span(seconds) for seconds in LENGTHS}
    if chosen.isdecimal() and len(chosen) < 9:
        given.setdefault(chosen, verdicts.span(int(chosen)))
    return list(given.items())


def read(data: Mapping[str, str]) -> dict[str, str]:
    """What is in the fields, as they are shown again."""
    return {name: str(data.get(name, "")) for name in SilenceForm.base_fields}
