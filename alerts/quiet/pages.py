"""What the pages about silences show: the list, one of them, the form, and what it means while one types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.db.models.functions import Coalesce
from django.utils import timezone

from actions import zones
from actions.schedules import forms as schedule_forms
from actions.schedules import times
from actions.schedules.words import there
from alerts import words as incident_words
from alerts.models import Incident, Rule, Silence
from alerts.quiet import covering, forms, silences, words
from alerts.quiet.forms import EndForm, SilenceForm
from alerts.rules import names, scopes
from pmonitor import access
from pmonitor.templatetags import show
from pmonitor.visible import visible

OVER_SHOWN = 50
NEXT_SHOWN = 5
COVERED_SHOWN = 50


def listed(user: Any) -> dict[str, Any]:
    """The list: what holds, what will, and the last ones that are over."""
    now, may = timezone.now(), _reach(user)
    mine = Silence.objects.visible_to(user).select_related("rule")
    rows = [_row(may, one, now) for one in silences.not_over(now).filter(pk__in=mine).select_related("rule")]
    over = [_row(may, one, now) for one in mine.exclude(pk__in=silences.not_over(now))[:OVER_SHOWN]]
    by_state = {state: [row for row in rows if row["state"] == state] for state in words.STATES}
    ended = sorted([*by_state[words.OVER], *over], key=lambda row: -row["silence"].pk)
    return {
        "rows": [*by_state[words.ACTIVE], *by_state[words.COMING], *ended],
        "active": len(by_state[words.ACTIVE]),
    }


def one(user: Any, silence: Silence, problem: str = "", form: EndForm | None = None) -> dict[str, Any]:
    """What `silence.html` shows: when, what it keeps quiet now, and the form with its end."""
    now = timezone.now()
    holds = bool(silence.cron) and covering.holds(silence, now)
    given = {**forms.end_of(silence), **({name: form.data.get(name, "") for name in form.fields} if form else {})}
    covered = Incident.objects.visible_to(user).live().listed().filter(silence=silence).select_related("server")
    return {
        **_row(_reach(user), silence, now),
        **({"open": True, "open_until": covering.until(silence, now)} if holds else {}),
        "next": _times(words.following(silence, now, NEXT_SHOWN), silence.zone),
        "covered": [_covered(incident) for incident in covered[:COVERED_SHOWN]],
        "problem": problem,
        "given": given,
        "errors": _errors(form),
    }


def form_context(
    user: Any, form: SilenceForm, data: Mapping[str, str], about: Incident | None, problem: str = ""
) -> Any:
    """What `silence_form.html` shows; data: what is in the fields; about: the incident it is prefilled from."""
    given = forms.read(data)
    return {
        "given": given,
        "errors": _errors(form),
        "problem": problem,
        "rules": [(str(pk), names.shown(name)) for pk, name in Rule.objects.kept().values_list("pk", "name")],
        "lengths": forms.lengths(given["length"]),
        "about": _covered(about) if about else None,
        **preview(user, given),
    }


def preview(user: Any, given: Mapping[str, str]) -> dict[str, Any]:
    """What is in the fields means now: so many servers, so many live incidents, and these next times."""
    zone = given.get("zone") or zones.UNKNOWN
    made: dict[str, Any] = {"preview_zone": zone, "times": [], "wrong": "", "servers": None, "live": 0}
    if zone in zones.names():
        made["wrong"], found = _begins(given.get("at", ""), given.get("cron", "").strip(), zone)
        made["times"] = _times(found, zone)
        made["endless"] = _is_endless(given, found, zone)
    line = given.get("scope", "")
    if not scopes.wrong(line):
        servers = scopes.of(scopes.read(line), scopes.places_of(user))
        rule = given.get("rule", "")
        live = Incident.objects.visible_to(user).live().filter(server__in=servers)
        live = live.filter(rule=int(rule)) if rule.isdecimal() and len(rule) < 10 else live
        made |= {"servers": len(servers), "live": _apart(live)}
    return made


def _apart(live: Any) -> int:
    """How many these are as the list of incidents counts them: members of one of many servers are that one."""
    found: int = live.aggregate(n=Count(Coalesce("whole_id", "pk"), distinct=True))["n"]
    return found


def incident_of(user: Any, given: str) -> Incident | None:
    """The incident that an address names, in the user's scope."""
    try:
        uuid = UUID(given)
    except ValueError:
        return None
    mine = Incident.objects.visible_to(user).select_related("rule", "server")
    found: Incident | None = mine.filter(uuid=uuid).first()
    return found


def _reach(user: Any) -> scopes.Reach | None:
    """How far the user may change silences; None for who may not at all."""
    return scopes.reach_of(user) if access.has_role(user, access.OPERATOR) else None


def _row(may: scopes.Reach | None, silence: Silence, now: datetime) -> dict[str, Any]:
    state = words.state_of(silence, now)
    glyph, word = words.STATES[state]
    return {
        "silence": silence,
        "state": state,
        "glyph": glyph,
        "word": word,
        "reason": visible(silence.reason),
        "scope": words.scope(silence),
        "rule": words.rule(silence),
        "when": words.when(silence),
        "who": visible(silence.made_by_name),
        "acting": may is not None and may.holds(silence.scope) and state != words.OVER,
    }


def _covered(incident: Incident) -> dict[str, Any]:
    host = visible(incident.server.hostname) if incident.server else ""
    short = show.first_label(host)
    return {"incident": incident, "title": incident_words.title(incident), "host": host, "short": short}


def _begins(at: str, cron: str, zone: str) -> tuple[str, list[datetime]]:
    """What is wrong with what was typed, else when it begins."""
    if not cron:
        once = schedule_forms.moment(schedule_forms.read_time(at), zone)
        return "", [once] if once else []
    wrong = times.wrong(cron)
    return wrong, [] if wrong else times.upcoming(cron, zone, timezone.now(), NEXT_SHOWN)


def _is_endless(given: Mapping[str, str], found: Sequence[datetime], zone: str) -> bool:
    """Whether windows as typed, beginning then, never leave a gap, and no end is given."""
    cron, seconds = given.get("cron", "").strip(), given.get("length", "")
    if not cron or not found or given.get("until") or not seconds.isdecimal() or len(seconds) > 8:
        return False
    length = timedelta(seconds=int(seconds))
    return length <= silences.MOST_WINDOW and covering.last_end(cron, zone, length, found[0]) is None


def _times(found: Sequence[datetime], zone: str) -> list[dict[str, Any]]:
    return [{"at": at, "there": there(at, zone)} for at in found]


def _errors(form: Any) -> dict[str, str]:
    said = form.errors.get_json_data() if form is not None and form.is_bound else {}
    return {name: " ".join(error["message"] for error in errors) for name, errors in said.items()}
