"""What people do with incidents: each move is a conditional update, its line of the timeline and its audit entry.

The caller has fetched the incident as its user sees it, and checked the role. A Problem says what does not go: 409
where somebody was faster, 400 naming the field. Of an incident of many servers a person acknowledges, gives back,
assigns and closes the members on servers in their scope; it is itself acknowledged, or somebody's, when each of its
live members is. Where that leaves others as they were, a line of its timeline says how many of them were moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from actions import audit
from actions.lifecycle import Actor
from actions.models import AuditEntry
from alerts import moves, states
from alerts.incidents import locking
from alerts.models import Incident
from alerts.timeline import note
from pmonitor import access
from pmonitor.problems import Problem, bad
from servers.models import Server

COMMENT_LENGTH, REASON_LENGTH = 2_000, 200  # characters
LEAST_SNOOZE, MOST_SNOOZE = timedelta(minutes=5), timedelta(days=30)


class Reached(NamedTuple):
    """What a move on some incidents is about; all of it is locked. singles: with the members in the user's scope."""

    singles: list[int]
    wholes: list[int]


def acknowledge(user: Any, incident: Incident, address: str | None = None) -> None:
    """Take it; nothing happens when the user has it already. 409 when it is closed, or somebody else has it."""
    actor = Actor(audit.name_of(user), user, address)
    with transaction.atomic():
        if _take(actor, [incident]):
            return
        _must_live(user, incident)
        if incident.state == states.ACKNOWLEDGED and incident.acknowledged_by_id != user.pk:
            raise Problem(409, _("%(who)s has acknowledged it already.") % {"who": incident.acknowledged_by_name})


def acknowledge_many(user: Any, incidents: Sequence[Incident], address: str | None = None) -> int:
    """Take those that are open still, in one go; returns how many, members of one of many servers not counted."""
    with transaction.atomic():
        taken = _take(Actor(audit.name_of(user), user, address), incidents)
    return len({one.whole_id or one.pk for one in taken})


def unacknowledge(user: Any, incident: Incident, address: str | None = None) -> None:
    """Give it back; nothing happens when it is open. 409 when it is closed."""
    actor = Actor(audit.name_of(user), user, address)
    with transaction.atomic():
        reached = _reach(user, [incident])
        given = _moved([*reached.singles, *reached.wholes], states.ACKNOWLEDGED, **_by(None))
        note(states.GIVEN_BACK, given, actor=actor.name)
        _note_parts(states.GIVEN_BACK, actor, [incident], given)
        _write("incident.unacknowledged", actor, given)
        if not given:
            _must_live(user, incident)


def comment(user: Any, incident: Incident, text: str, address: str | None = None) -> None:
    """Say something in its timeline, 1 to COMMENT_LENGTH characters, also when it is closed."""
    text = _text("text", text, COMMENT_LENGTH)
    if not text:
        raise bad({"text": _("Say something.")})
    actor = Actor(audit.name_of(user), user, address)
    with transaction.atomic():
        note(states.COMMENTED, [incident], actor=actor.name, text=text)
        _write("incident.commented", actor, [incident], {"text": text})


def assign(user: Any, incident: Incident, to: User | None, address: str | None = None) -> None:
    """Make it somebody's who sees it, or nobody's; nothing happens when it is so already. 409 when it is closed."""
    if to is not None and not may_have(to, incident):
        raise bad({"to": _("must be somebody who sees this incident and may acknowledge it")})
    actor, name = Actor(audit.name_of(user), user, address), audit.name_of(to) if to else ""
    with transaction.atomic():
        given = _given_to(to, _reach(user, [incident]))
        note(states.ASSIGNED, given, actor=actor.name, facts={"to": name})
        _note_parts(states.ASSIGNED, actor, [incident], given, {"to": name})
        _write("incident.assigned", actor, given, {"to": name})
        incident.refresh_from_db()
        if not given:
            _must_live(user, incident)


def snooze(user: Any, incident: Incident, until: datetime, address: str | None = None) -> None:
    """Nobody is told of it until then, LEAST_SNOOZE to MOST_SNOOZE from now; the last one who says so counts.

    403 when it has members outside of the user's scope, 409 when it is closed or a member itself.
    """
    ahead = until - timezone.now()
    if not LEAST_SNOOZE - timedelta(seconds=30) <= ahead <= MOST_SNOOZE + timedelta(seconds=30):
        raise bad({"until": _("must be 5 minutes to 30 days from now")})
    _may_hush(user, incident)
    actor, facts = Actor(audit.name_of(user), user, address), {"until": until.isoformat()}
    with transaction.atomic():
        if not Incident.objects.live().filter(pk=incident.pk).update(snoozed_until=until):
            raise Problem(409, _("It is closed already."))
        incident.snoozed_until = until
        note(states.SNOOZED, [incident], actor=actor.name, facts=facts)
        _write("incident.snoozed", actor, [incident], facts)


def wake(user: Any, incident: Incident, address: str | None = None) -> None:
    """End its snooze before its time; nothing happens when it has none. Raises Problem like `snooze`."""
    _may_hush(user, incident)
    actor = Actor(audit.name_of(user), user, address)
    with transaction.atomic():
        snoozed = Incident.objects.live().filter(pk=incident.pk, snoozed_until__isnull=False)
        found = list(snoozed.select_for_update(of=("self",)).select_related("rule", "server"))
        moves.wake(found, actor.name)
        _write("incident.woken", actor, found)


def close_by_hand(user: Any, incident: Incident, reason: str = "", address: str | None = None) -> None:
    """Close it though its rule still holds: it opens anew once that has cleared and fires again. 409 when closed."""
    reason = _text("reason", reason, REASON_LENGTH)
    actor, now = Actor(audit.name_of(user), user, address), timezone.now()
    with transaction.atomic():
        reached = _reach(user, [incident])
        closings = [moves.Closing(number, now, states.BY_HAND) for number in reached.singles]
        closed = moves.close(closings, actor.name, reason)
        if not closed:
            _must_live(user, incident)
            raise Problem(409, _("It is closed already."))
        _note_parts(states.ENDED, actor, [incident], closed, text=reason)
        _write("incident.closed", actor, closed, reason=reason)


def may_have(user: User, incident: Incident) -> bool:
    """Whether it may be assigned to somebody: an operator who sees it."""
    sees: bool = Incident.objects.visible_to(user).filter(pk=incident.pk).exists()
    return access.has_role(user, access.OPERATOR) and sees


def _take(actor: Actor, incidents: Sequence[Incident]) -> list[Incident]:
    reached = _reach(actor.user, incidents)
    taken = _moved(reached.singles, states.OPEN, **_by(actor))
    open_of: Any = Incident.objects.filter(state=states.OPEN, whole__in=reached.wholes).values("whole")
    whole = Incident.objects.filter(pk__in=reached.wholes).exclude(pk__in=open_of).values_list("pk", flat=True)
    taken += _moved(list(whole), states.OPEN, **_by(actor))
    note(states.TAKEN, taken, actor=actor.name)
    _note_parts(states.TAKEN, actor, incidents, taken)
    _write("incident.acknowledged", actor, taken)
    return taken


def _given_to(to: User | None, reached: Reached) -> list[Incident]:
    """Assign what is locked, as far as that person sees it; those of many servers where each live member is theirs."""
    live = Incident.objects.live().select_related("rule", "server").exclude(assigned_to=to)
    singles = live.filter(pk__in=reached.singles)
    if to is not None:
        singles = singles.filter(pk__in=Incident.objects.visible_to(to).values("pk"))
    given = list(singles)
    Incident.objects.filter(pk__in=[one.pk for one in given]).update(assigned_to=to)
    others: Any = Incident.objects.live().filter(whole__in=reached.wholes).exclude(assigned_to=to).values("whole")
    wholes = list(live.filter(pk__in=reached.wholes).exclude(pk__in=others))
    Incident.objects.filter(pk__in=[one.pk for one in wholes]).update(assigned_to=to)
    return [*given, *wholes]


def _reach(user: Any, incidents: Sequence[Incident]) -> Reached:
    """Lock what a move is about. Of members their whole, too: it may be acknowledged with the last of them."""
    given = [one.pk for one in incidents]
    wholes = locking.wholes_of(given)
    inside = Incident.objects.visible_to(user).filter(whole__in=[one.pk for one in incidents if not one.server_id])
    singles = [one.pk for one in incidents if one.server_id] + list(inside.values_list("pk", flat=True))
    locking.each(singles)
    return Reached(singles, wholes)


def _moved(numbers: Sequence[int], before: str, **columns: Any) -> list[Incident]:
    """Those of these, which are locked, that were in that state, as they are now."""
    found = list(Incident.objects.filter(pk__in=numbers, state=before).select_related("rule", "server"))
    Incident.objects.filter(pk__in=[one.pk for one in found]).update(**columns)
    for one in found:
        for name, value in columns.items():
            setattr(one, name, value)
    return found


def _by(actor: Actor | None) -> dict[str, Any]:
    """The columns of who has it; None: nobody."""
    return {
        "state": states.ACKNOWLEDGED if actor else states.OPEN,
        "acknowledged_at": timezone.now() if actor else None,
        "acknowledged_by": actor.user if actor else None,
        "acknowledged_by_name": actor.name if actor else "",
    }


def _must_live(user: Any, incident: Incident) -> None:
    incident.refresh_from_db()
    if incident.state == states.CLOSED:
        raise Problem(409, _("It is closed already."))
    mine = Incident.objects.live_on(Server.objects.visible_to(user))
    if not mine.filter(pk=incident.pk).exists():
        raise Problem(409, _("It is closed already on the servers in your scope, and open on others."))


def _note_parts(
    move: str,
    actor: Actor,
    asked: Sequence[Incident],
    moved: Sequence[Incident],
    facts: dict[str, Any] | None = None,
    text: str = "",
) -> None:
    """Say in the timelines of those of many servers that did not move themselves how many of their members did."""
    itself = {one.pk for one in moved}
    for whole in asked:
        members = sum(one.whole_id == whole.pk for one in moved)
        if whole.server_id is None and members and whole.pk not in itself:
            live = Incident.objects.live().filter(whole=whole).count() + (members if move == states.ENDED else 0)
            told = {"move": move, "members": members, "of": live, **(facts or {})}
            note(states.PARTLY, [whole], actor=actor.name, text=text, facts=told)


def _may_hush(user: Any, incident: Incident) -> None:
    if incident.whole_id:
        raise Problem(409, _("Nobody is told of it by itself: snooze the incident of many servers that it belongs to."))
    members = Incident.objects.filter(whole=incident.pk)
    mine: Any = Incident.objects.visible_to(user).filter(whole=incident.pk).values("pk")
    if incident.server_id is None and members.exclude(pk__in=mine).exists():
        raise Problem(403, _("It has members on servers outside of your scope, whose people must be told."))


def _text(name: str, text: str, most: int) -> str:
    text = text.strip()
    if len(text) > most:
        raise bad({name: _("must have at most %(length)s characters") % {"length": most}})
    if "\0" in text:
        raise bad({name: _("must not have null characters")})
    return text


def _write(
    event: str, actor: Actor, incidents: Sequence[Incident], facts: dict[str, Any] | None = None, reason: str = ""
) -> None:
    """One audit entry for each; for the members of one of many servers, where that moved with them, the one of it."""
    moved = {one.pk for one in incidents}
    told = [one for one in incidents if one.whole_id not in moved]
    if not told:
        return
    AuditEntry.objects.bulk_create(
        audit.entry(
            event,
            actor=actor.name,
            user=actor.user,
            address=actor.address,
            server=one.server,
            target=one.subject,
            reason=reason,
            facts={"incident": str(one.uuid), "rule": one.rule_name, **_members(one), **(facts or {})},
        )
        for one in told
    )
    audit.announce(None)


def _members(one: Incident) -> dict[str, Any]:
    return {"members": one.facts.get("members")} if one.server_id is None else {}
