"""Incidents as the API says them: camelCase, times ISO 8601 UTC."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.json import Decoder

from alerts import person_moves, words
from alerts.incidents import capsule_page
from alerts.models import Incident, IncidentEntry, Notification
from alerts.notify import wire as notify_wire
from servers.wire import Moment, Name

SECONDS = Annotated[int, Meta(ge=0, le=2**31 - 1)]
TIMELINE, MEMBERS = 500, 500  # newest lines, and members, of one incident


class Move(Struct, rename="camel"):
    """What somebody does: text of a comment; to: whom it is assigned, by user name; until or forSec of a snooze."""

    text: Annotated[str, Meta(max_length=person_moves.COMMENT_LENGTH)] = ""
    reason: Annotated[str, Meta(max_length=person_moves.REASON_LENGTH)] = ""
    to: Name | None = None
    until: Moment | None = None
    for_sec: SECONDS | None = None


MOVES = Decoder(Move)


def said(one: Incident) -> dict[str, Any]:
    """An incident in a list; it has its server, its whole and the one it is assigned to selected."""
    return {
        "id": one.uuid,
        "state": one.state,
        "severity": one.severity,
        "title": words.title(one),
        "rule": one.rule_id,
        "ruleName": one.rule_name,
        "kind": one.kind,
        "agent": one.server.agent_id if one.server else None,
        "servers": 1 if one.server else one.facts.get("servers"),
        "subject": one.subject,
        "value": one.value,
        "worst": one.worst,
        "facts": one.facts,
        "beganAt": one.began_at,
        "openedAt": one.opened_at,
        "recordedAt": one.recorded_at,
        "closedAt": one.closed_at,
        "closeReason": one.close_reason,
        "noDataSince": one.no_data_since,
        "acknowledgedAt": one.acknowledged_at,
        "acknowledgedBy": one.acknowledged_by_name,
        "assignedTo": one.assigned_to.get_username() if one.assigned_to else None,
        "snoozedUntil": one.snoozed_until,
        "silence": one.silence_id,
        "flapping": one.flapping,
        "flappingSince": one.flapping_since,
        "calmSince": one.calm_since,
        "reopened": one.reopened,
        "escalatedAt": one.escalated_at,
        "partOf": one.whole.uuid if one.whole else None,
    }


def whole(user: Any, one: Incident) -> dict[str, Any]:
    """One incident with its timeline, the members that the user sees, its notices and its capsule."""
    lines = IncidentEntry.objects.filter(incident=one).select_related("command").order_by("-at", "-id")[:TIMELINE]
    notices = Notification.objects.filter(incident=one).select_related("contact", "summary").order_by("id")
    mine = Incident.objects.visible_to(user).filter(whole=one)
    all_of_them = Incident.objects.filter(whole=one).count() if one.server_id is None else 0
    return {
        **said(one),
        "timeline": [_line(line) for line in reversed(lines)],
        "members": [_member(member) for member in mine.select_related("server").order_by("pk")[:MEMBERS]],
        "membersElsewhere": all_of_them - mine.count() if all_of_them else 0,
        "notifications": [_notice(notice) for notice in notices],
        "capsule": capsule_page.told(one, user),
    }


def _line(line: IncidentEntry) -> dict[str, Any]:
    return {
        "at": line.at,
        "kind": line.kind,
        "actor": line.actor or None,
        "text": line.text,
        "facts": line.facts,
        "command": line.command.uuid if line.command else None,
    }


def _member(one: Incident) -> dict[str, Any]:
    return {
        "id": one.uuid,
        "agent": one.server.agent_id if one.server else None,
        "subject": one.subject,
        "state": one.state,
        "openedAt": one.opened_at,
        "closedAt": one.closed_at,
        "acknowledgedBy": one.acknowledged_by_name,
    }


def _notice(notice: Notification) -> dict[str, Any]:
    return {"contact": notice.contact.name, **notify_wire.notice(notice)}
