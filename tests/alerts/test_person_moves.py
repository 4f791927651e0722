"""What people do with incidents: each with its line, its audit entry, and a sentence when it does not go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts import person_moves, states
from alerts.incidents import endings
from alerts.models import Incident
from pmonitor.problems import Problem
from servers.models import Server, ServerGroup
from tests.alerts.incidents.pages import titles
from tests.alerts.opening import audited, close_all, farm, lines, listening, open_all, opened, opening, rule

pytestmark = pytest.mark.django_db


@pytest.fixture
def incident(web1: Server) -> Incident:
    return opened(rule(), web1, "nginx.service")


def refused(call: Any, *args: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        call(*args)
    return caught.value


def test_taking_it(incident: Incident, operator: User) -> None:
    with listening() as told:
        person_moves.acknowledge(operator, incident, "198.51.100.7")
    incident.refresh_from_db()
    assert (incident.state, incident.acknowledged_by, incident.acknowledged_by_name) == (
        "acknowledged",
        operator,
        "oleg",
    )
    assert told == [(states.TAKEN, [incident.pk])]
    assert lines(incident) == [states.OPENED, states.TAKEN]
    assert incident.entries.get(kind=states.TAKEN).actor == "oleg"
    (entry,) = audited("incident.acknowledged")
    assert (entry.actor_user, entry.address, entry.server, entry.target) == (
        operator,
        "198.51.100.7",
        incident.server,
        "nginx.service",
    )
    assert entry.facts == {"incident": str(incident.uuid), "rule": "Lost"}


def test_taking_it_twice_is_taking_it_once(incident: Incident, operator: User) -> None:
    person_moves.acknowledge(operator, incident)
    person_moves.acknowledge(operator, incident)
    assert lines(incident) == [states.OPENED, states.TAKEN]
    assert len(audited("incident.acknowledged")) == 1


def test_what_somebody_else_has_says_who(incident: Incident, operator: User, admin: User) -> None:
    person_moves.acknowledge(operator, incident)
    problem = refused(person_moves.acknowledge, admin, incident)
    assert (problem.status_code, problem.sentence) == (409, "oleg has acknowledged it already.")


def test_giving_it_back(incident: Incident, operator: User, admin: User) -> None:
    person_moves.unacknowledge(operator, incident)  # nobody has it
    person_moves.acknowledge(operator, incident)
    person_moves.unacknowledge(admin, incident)
    incident.refresh_from_db()
    assert (incident.state, incident.acknowledged_at, incident.acknowledged_by) == (states.OPEN, None, None)
    assert lines(incident) == [states.OPENED, states.TAKEN, states.GIVEN_BACK]
    assert len(audited("incident.unacknowledged")) == 1


def test_taking_many(web1: Server, web2: Server, operator: User, admin: User) -> None:
    one = rule()
    mine = [opened(one, web1, f"{n}.service") for n in range(3)]
    person_moves.acknowledge(admin, mine[0])
    close_all([mine[1]])
    crowd = rule("Crowd")
    open_all([opening(crowd, server) for server in [*farm(5), web2]])
    whole = Incident.objects.get(server=None)
    assert person_moves.acknowledge_many(admin, [*mine, whole]) == 2
    assert person_moves.acknowledge_many(admin, [*mine, whole]) == 0
    assert not Incident.objects.filter(state=states.OPEN).exists()
    entries = audited("incident.acknowledged")
    assert [entry.facts.get("members") for entry in entries] == [None, None, 6]


def test_a_comment(incident: Incident, operator: User) -> None:
    person_moves.comment(operator, incident, "  The disk is being replaced.\nUntil five. ")
    line = incident.entries.get(kind=states.COMMENTED)
    assert (line.actor, line.text) == ("oleg", "The disk is being replaced.\nUntil five.")
    close_all([incident])
    person_moves.comment(operator, incident, "x" * 2_000)
    assert len(audited("incident.commented")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [(" ", "Say something."), ("x" * 2_001, "at most 2000 characters"), ("a\0b", "null characters")],
)
def test_a_comment_that_is_none(incident: Incident, operator: User, text: str, said: str) -> None:
    problem = refused(person_moves.comment, operator, incident, text)
    assert problem.status_code == 400
    assert said in problem.fields["text"]
    assert lines(incident) == [states.OPENED]


def test_assigning_it(incident: Incident, operator: User, admin: User) -> None:
    for _twice in range(2):
        person_moves.assign(admin, incident, operator)
    incident.refresh_from_db()
    assert incident.assigned_to == operator
    person_moves.assign(admin, incident, None)
    assert [line.facts for line in incident.entries.filter(kind=states.ASSIGNED)] == [{"to": "oleg"}, {"to": ""}]
    assert [entry.facts["to"] for entry in audited("incident.assigned")] == ["oleg", ""]


def test_it_is_nobodys_who_does_not_see_it_or_may_not_act(
    incident: Incident, operator: User, outsider: User, viewer: User, nobody: User
) -> None:
    for person in (outsider, viewer, nobody):
        problem = refused(person_moves.assign, operator, incident, person)
        assert list(problem.fields) == ["to"]
    operator.is_active = False
    operator.save(update_fields=["is_active"])
    assert refused(person_moves.assign, operator, incident, operator).status_code == 400


def test_of_many_servers_one_assigns_what_one_may(
    operator: User, outsider: User, admin: User, web_group: ServerGroup, db1: Server, as_operator: Client
) -> None:
    lost, mine = rule(), farm(5, web_group)
    open_all([opening(lost, server) for server in [*mine, db1]])
    whole, theirs = Incident.objects.get(server=None), Incident.objects.get(server=db1)
    person_moves.assign(operator, whole, operator)
    assert set(whole.members.filter(server__in=mine).values_list("assigned_to", flat=True)) == {operator.pk}
    theirs.refresh_from_db()
    assert (theirs.assigned_to, whole.assigned_to) == (None, None)
    assert lines(whole) == [states.OPENED, states.PARTLY]
    assert len(audited("incident.assigned")) == 5
    assert len(titles(as_operator, "/alerts/?mine=1")) == 1
    person_moves.assign(admin, whole, admin)
    assert whole.assigned_to == admin
    assert set(whole.members.values_list("assigned_to", flat=True)) == {admin.pk}
    assert lines(whole) == [states.OPENED, states.PARTLY, states.ASSIGNED]
    assert len(audited("incident.assigned")) == 6
    person_moves.assign(operator, whole, None)
    assert whole.assigned_to == admin
    theirs.refresh_from_db()
    assert theirs.assigned_to == admin


def test_a_snooze_ends_and_listeners_hear_of_it_again(incident: Incident, operator: User) -> None:
    until = timezone.now() + timedelta(hours=1)
    person_moves.snooze(operator, incident, until)
    assert endings.wake_snoozed() == 0
    Incident.objects.update(snoozed_until=timezone.now())
    with listening() as told:
        assert endings.wake_snoozed() == 1
        assert endings.wake_snoozed() == 0
    assert told == [(states.WOKEN, [incident.pk])]
    incident.refresh_from_db()
    assert incident.snoozed_until is None
    assert lines(incident) == [states.OPENED, states.SNOOZED, states.WOKEN]
    assert incident.entries.get(kind=states.SNOOZED).facts == {"until": until.isoformat()}


def test_what_closed_while_it_was_snoozed_is_not_woken(incident: Incident, operator: User) -> None:
    person_moves.snooze(operator, incident, timezone.now() + timedelta(hours=1))
    close_all([incident])
    Incident.objects.update(snoozed_until=timezone.now())
    assert endings.wake_snoozed() == 0


def test_waking_it_by_hand(incident: Incident, operator: User) -> None:
    person_moves.wake(operator, incident)
    person_moves.snooze(operator, incident, timezone.now() + timedelta(hours=1))
    person_moves.wake(operator, incident)
    incident.refresh_from_db()
    assert incident.snoozed_until is None
    assert len(audited("incident.woken")) == 1
    assert incident.entries.get(kind=states.WOKEN).actor == "oleg"


@pytest.mark.parametrize("minutes", [-5, 4, 60 * 24 * 30 + 5])
def test_a_snooze_has_its_bounds(incident: Incident, operator: User, minutes: int) -> None:
    problem = refused(person_moves.snooze, operator, incident, timezone.now() + timedelta(minutes=minutes))
    assert problem.fields == {"until": "must be 5 minutes to 30 days from now"}


def test_closing_it_by_hand(incident: Incident, operator: User) -> None:
    with listening() as told:
        person_moves.close_by_hand(operator, incident, "Known, and gone soon")
    incident.refresh_from_db()
    assert (incident.state, incident.close_reason) == (states.CLOSED, states.BY_HAND)
    assert told == [(states.ENDED, [incident.pk])]
    line = incident.entries.get(kind=states.ENDED)
    assert (line.actor, line.text) == ("oleg", "Known, and gone soon")
    assert [entry.reason for entry in audited("incident.closed")] == ["Known, and gone soon"]


def test_nothing_moves_what_is_closed(incident: Incident, operator: User) -> None:
    soon = timezone.now() + timedelta(hours=1)
    close_all([incident])
    before = lines(incident)
    for call in (
        (person_moves.acknowledge, operator, incident),
        (person_moves.unacknowledge, operator, incident),
        (person_moves.assign, operator, incident, operator),
        (person_moves.snooze, operator, incident, soon),
        (person_moves.close_by_hand, operator, incident),
    ):
        problem = refused(*call)
        assert (problem.status_code, problem.sentence) == (409, "It is closed already.")
    assert lines(incident) == before
    assert not audited("incident.snoozed")
