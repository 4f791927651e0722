"""Makes the notices of what moves: a row a contact, in the transaction of the move. Listens to timeline.LISTENERS.

An opening goes to the contacts of its rule whose severity it has, unless it is silenced or snoozed; its end only to
whoever was told of the opening. An opening waits a moment: the first few of many servers at once become one incident
before anybody is told of each, and the process that it is about is found. What is not sent yet when an incident ends
is never sent. Outside of a contact's hours a notice waits for them. Right after an absence of the hub it waits a
little, so that one summary can tell all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from alerts import states, timeline
from alerts.models import Contact, Incident, Notification, Rule
from alerts.notify import hours, models, words
from servers.models import HubAbsence

GATHER = timedelta(seconds=10)  # an opening waits so long for others of its rule, and for what is found around it
AFTERMATH = timedelta(seconds=120)  # after an absence: servers must be silent for a while before a rule says so
DOWNS = (models.OPENED, models.ESCALATION)  # the events that tell that something is wrong


def hear(move: str, incidents: Sequence[Incident]) -> None:
    """Queue what this move is to tell. The caller is in the move's transaction."""
    if action := MOVES.get(move):
        action(incidents)


def opened(incidents: Sequence[Incident]) -> None:
    """Tell the contacts of the rules."""
    told = _tellable(incidents)
    _queue(models.OPENED, told, _of_rules(Rule.contacts.through, told))


def unsilenced(incidents: Sequence[Incident]) -> None:
    """Tell those contacts of the rules that were not told before the silence."""
    told = _tellable(incidents)
    before = set(_rows(told, DOWNS).filter(state__in=models.ON_THE_WAY).values_list("incident", "contact"))
    wanted = _of_rules(Rule.contacts.through, told)
    left = [(one, [to for to in wanted.get(one.rule_id, ()) if (one.pk, to.pk) not in before]) for one in told]
    _make(models.OPENED, [(one, to) for one, contacts in left for to in contacts])


def escalated(incidents: Sequence[Incident]) -> None:
    """Tell the contacts that the rules escalate to; of a rule that names none, its own once more."""
    told = _tellable(incidents)
    next_ones = _of_rules(Rule.escalate_to.through, told)
    own = _of_rules(Rule.contacts.through, [one for one in told if one.rule_id not in next_ones])
    _queue(models.ESCALATION, told, own | next_ones)


def closed(incidents: Sequence[Incident]) -> None:
    """Drop what was not told yet, and tell the end to who was told."""
    drop(incidents, words.OVER)
    live_of = {one.pk: one for one in incidents if one.whole_id is None}
    told = _rows(live_of.values(), DOWNS).filter(state__in=(models.SENDING, models.SENT)).select_related("contact")
    pairs = {(row.incident_id, row.contact_id): row.contact for row in told.order_by("pk")}
    _make(models.CLOSED, [(live_of[number], to) for (number, _to), to in pairs.items() if number])


def joined(incidents: Sequence[Incident]) -> None:
    """From now on the incident of many servers tells of these."""
    drop(incidents, words.JOINED)


def drop(incidents: Collection[Incident], why: str) -> None:
    """Take back the notices that are not on their way yet, and say so in the timelines."""
    waiting = _rows(incidents, (*DOWNS, models.CLOSED)).filter(state=models.QUEUED)
    rows = list(waiting.select_for_update(of=("self",)).select_related("contact", "summary"))
    Notification.objects.filter(pk__in=[row.pk for row in rows]).update(state=models.DROPPED, error=why)
    by_number = {one.pk: one for one in incidents}
    untold([(by_number[row.incident_id], row) for row in rows if row.incident_id], why)


def untold(pairs: Iterable[tuple[Incident, Notification]], why: str) -> None:
    """Say in the timelines that the contacts of these notices were not told, why, and what was tried before."""
    alike: dict[tuple[str, str, int], list[Incident]] = defaultdict(list)
    for incident, row in pairs:
        alike[row.contact.name, *words.tried(row)].append(incident)
    for (name, failed, tries), incidents in alike.items():
        facts = {"contact": name, "why": why, **({words.FAILED: failed, "tries": tries} if failed else {})}
        timeline.note(states.NOT_NOTIFIED, incidents, facts=facts)


def test_of(contact: Contact) -> Notification:
    """A notice that tries whether the contact is reached. The caller is in a transaction."""
    now = timezone.now()
    return Notification.objects.create(contact=contact, event=models.TEST, made_at=now, due_at=now)


def _tellable(incidents: Sequence[Incident]) -> list[Incident]:
    """Those that are to be told of, as they are now: not silenced, not snoozed, not over, no member of another."""
    now = timezone.now()
    live = Incident.objects.live().listed().filter(pk__in=[one.pk for one in incidents], silence=None)
    return [one for one in live.order_by("pk") if one.snoozed_until is None or one.snoozed_until <= now]


def _rows(incidents: Iterable[Incident], events: Collection[str]) -> Any:
    return Notification.objects.filter(incident__in=[one.pk for one in incidents], event__in=events)


def _of_rules(through: Any, incidents: Sequence[Incident]) -> dict[int, list[Contact]]:
    """The contacts of the incidents' rules that are on."""
    links = through.objects.filter(rule__in={one.rule_id for one in incidents}, contact__enabled=True)
    found = defaultdict(list)
    for link in links.select_related("contact").order_by("contact__name"):
        found[link.rule_id].append(link.contact)
    return found


def _queue(event: str, incidents: Sequence[Incident], of_rule: dict[int, list[Contact]]) -> None:
    _make(event, [(one, to) for one in incidents for to in of_rule.get(one.rule_id, ()) if _is_meant(to, one)])


def _is_meant(contact: Contact, incident: Incident) -> bool:
    return states.SEVERITIES.index(incident.severity) >= states.SEVERITIES.index(contact.severity)


def _make(event: str, pairs: Sequence[tuple[Incident, Contact]]) -> None:
    """One row each. A contact that is known to be broken gets one that has failed already."""
    if not pairs:
        return
    now = timezone.now()
    held, absence = _held(now)
    begins = max(held, now + GATHER) if event == models.OPENED else held
    due = {to.pk: hours.due(to.hours, begins) for _one, to in pairs}
    facts = {"absence": absence} if absence else {}
    rows = [
        Notification(
            contact=to,
            incident=one,
            event=event,
            made_at=now,
            due_at=due[to.pk],
            facts=facts,
            **({"state": models.FAILED, "error": words.BROKEN} if to.broken_at else {}),
        )
        for one, to in pairs
    ]
    Notification.objects.bulk_create(rows)
    untold([(one, row) for (one, to), row in zip(pairs, rows, strict=True) if to.broken_at], words.BROKEN)


def _held(now: datetime) -> tuple[datetime, int | None]:
    """When notices of now go out: right after an absence of the hub a little later, to be told together."""
    last = HubAbsence.objects.filter(end__gt=now - AFTERMATH, end__lte=now).order_by("-end").first()
    return (last.end + AFTERMATH, last.pk) if last else (now, None)


MOVES: dict[str, Callable[[Sequence[Incident]], None]] = {
    states.OPENED: opened,
    states.WOKEN: opened,
    states.UNSILENCED: unsilenced,
    states.ESCALATED: escalated,
    states.ENDED: closed,
    states.JOINED: joined,
}
