"""What the pages about schedules show: the list, one with its records, the form, and the next times while one types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2s
from typing import Any

from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from actions import protection, verbs, verdicts, zones
from actions.command_page import pill, took
from actions.models import AuditEntry
from actions.schedules import forms, models, times, words
from actions.schedules.forms import ScheduleForm
from actions.schedules.models import Schedule
from pmonitor import access
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Server
from servers.twins import twin_of

PAGE = 100
RECORDS = 50


def listed(user: Any, query: Mapping[str, str]) -> dict[str, Any]:
    """The list, the next to run first; query: q, server, from."""
    found = Schedule.objects.visible_to(user).select_related("server").annotate(twin=twin_of(Server, "server__"))
    for word in query.get("q", "").replace("\0", "")[:200].split():
        columns = ("target", "cmd", "reason", "made_by_name", "server__hostname", "server__agent_id")
        found = found.filter(Q(*((f"{column}__icontains", word) for column in columns), _connector=Q.OR))
    if agent := query.get("server", "").replace("\0", ""):
        found = found.filter(server__agent_id=agent)
    said = query.get("from", "")
    start = int(said) if said.isdecimal() and len(said) < 8 else 0
    rows = list(found.order_by(F("next_at").asc(nulls_last=True), "-pk")[start : start + PAGE + 1])
    return {
        "rows": [_row(schedule) for schedule in rows[:PAGE]],
        "q": query.get("q", ""),
        "server": agent,
        "older": start + PAGE if len(rows) > PAGE else None,
        "newer": max(0, start - PAGE) if start else None,
    }


def _row(schedule: Schedule) -> dict[str, Any]:
    glyph, word = words.STATES[schedule.state]
    last = words.OUTCOMES.get(schedule.last_outcome)
    return {
        "schedule": schedule,
        "title": verbs.titled(schedule.cmd, visible(schedule.target)),
        "host": visible(schedule.server.hostname),
        "glyph": glyph,
        "word": word,
        "when": words.when(schedule),
        "last_glyph": last[0] if last else "",
        "last_word": last[1] if last else "",
        "who": visible(schedule.made_by_name),
        "reason": visible(schedule.reason),
    }


def one(schedule: Schedule, role: str) -> dict[str, Any]:
    """What `schedule.html` and its live article show; schedule with its server selected."""
    records = list(_records(schedule))
    return {
        **_row(schedule),
        "short": show.first_label(visible(schedule.server.hostname)),
        "acting": role in (access.OPERATOR, access.ADMIN) and schedule.state != models.DELETED,
        "next": _next(schedule),
        "within": verdicts.span(schedule.deliver_within_sec),
        "why": visible(schedule.last_why),
        "grace": verdicts.span(times.GRACE.total_seconds()),
        "records": [_record(entry) for entry in records],
        "version": version(schedule, records),
    }


def version(schedule: Schedule, records: list[AuditEntry]) -> str:
    """Changes with the schedule, its records and its commands' states."""
    seen = [(entry.pk, entry.command.state if entry.command else "") for entry in records]
    shown = (schedule.state, schedule.next_at, schedule.made_at, seen)
    return blake2s(repr(shown).encode(), digest_size=8).hexdigest()


def _records(schedule: Schedule) -> Any:
    return AuditEntry.objects.filter(schedule=schedule).select_related("command").order_by("-id")[:RECORDS]


def _record(entry: AuditEntry) -> dict[str, Any]:
    glyph, word = words.EVENTS.get(entry.event, ("todo", entry.event))
    command = entry.command
    return {
        "entry": entry,
        "glyph": command.state if command else glyph,
        "word": word,
        "who": visible(entry.actor),
        "pill": pill(command) if command else "",
        "took": took(command) if command else "",
        "why": visible(str(entry.facts.get("why", ""))),
        "runs": entry.facts.get("runs", 1),
    }


def _next(schedule: Schedule) -> list[dict[str, Any]]:
    """The next times of one that is on, the first of them as it is recorded."""
    if schedule.next_at is None:
        return []
    later = times.upcoming(schedule.cron, schedule.zone, schedule.next_at, 4) if schedule.cron else []
    return [{"at": at, "there": words.there(at, schedule.zone)} for at in (schedule.next_at, *later)]


def form_context(user: Any, form: ScheduleForm, data: Mapping[str, Any], problem: str = "") -> dict[str, Any]:
    """What `schedule_form.html` shows; data: what is in the fields."""
    errors = form.errors.get_json_data() if form.is_bound else {}
    given = {name: str(data.get(name, "")) for name in ScheduleForm.base_fields}
    changed = form.changed
    cmd, target = (changed.cmd, changed.target) if changed else (given["cmd"], given["target"])
    kind = protection.kind_of(cmd, target)
    return {
        "changed": changed,
        "title": verbs.titled(changed.cmd, visible(changed.target)) if changed else "",
        "host": show.first_label(visible(changed.server.hostname)) if changed else "",
        "given": given,
        "errors": {name: " ".join(error["message"] for error in said) for name, said in errors.items()},
        "problem": problem,
        "cmds": ScheduleForm.base_fields["cmd"].choices,  # type: ignore[attr-defined]
        "withins": forms.withins(given["within"] or "60"),
        "chosen": given["within"] or "60",
        "zones": _zones(given["zone"]),
        "protected": protection.sentence(kind) if kind else "",
        "typed_name": visible(target.removesuffix(".service")),
        "back": reverse("schedules:detail", args=[changed.uuid]) if changed else reverse("schedules:list"),
        **preview(user, given, changed.server if changed else None),
    }


def _zones(chosen: str) -> list[str]:
    return [zones.UNKNOWN, *([chosen] if chosen and chosen != zones.UNKNOWN else [])]


def preview(user: Any, given: Mapping[str, str], server: Server | None = None) -> dict[str, Any]:
    """The next five times of what is in the fields (server, at, cron, zone), or what is wrong with them."""
    where = server or forms.server_named(user, given.get("server", "")[:255])
    zone = given.get("zone") or (zones.of_server(where.pk) if where else zones.UNKNOWN)
    made: dict[str, Any] = {"preview_zone": zone, "times": [], "wrong": "", "server_zone": ""}
    if where:
        made["server_zone"] = zones.of_server(where.pk)
    if zone in zones.names():
        made["wrong"], found = _times(given.get("at", ""), given.get("cron", "").strip(), zone)
        made["times"] = [{"at": at, "there": words.there(at, zone)} for at in found]
    return made


def _times(at: str, cron: str, zone: str) -> tuple[str, list[datetime]]:
    """What is wrong with what was typed, else the times that it means."""
    if not cron:
        once = forms.moment(forms.read_time(at), zone)
        return "", [once] if once else []
    wrong = times.wrong(cron)
    return wrong, [] if wrong else times.upcoming(cron, zone, timezone.now())
