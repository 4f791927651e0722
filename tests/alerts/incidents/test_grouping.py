"""Many servers at once are one incident with members."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from alerts import person_moves, states
from alerts.incidents import endings, grouping
from alerts.models import Incident, IncidentEntry
from alerts.moves import Opening
from alerts.rules import kinds
from servers.models import Server, ServerGroup
from tests.alerts.opening import close_all, farm, lines, listening, open_all, opened, opening, rule

pytestmark = pytest.mark.django_db


def openings_of(servers: list[Server]) -> list[Opening]:
    silent = rule()
    return [opening(silent, server) for server in servers]


def whole() -> Incident:
    found: Incident = Incident.objects.get(server=None)
    return found


def test_fifty_servers_lost_at_once_are_one_incident_with_fifty_members() -> None:
    silent, servers = rule(), farm(50)
    with listening() as told:
        made = open_all([opening(silent, server) for server in servers])
    assert len(made) == 50
    assert whole().members.count() == 50
    assert whole().facts == {"members": 50, "servers": 50}
    assert told == [(states.OPENED, [whole().pk])]
    assert list(Incident.objects.live().listed()) == [whole()]
    assert lines(whole()) == [states.OPENED]
    assert lines(made[0]) == [states.OPENED]
    assert made[0].whole == whole()


def test_four_stay_four() -> None:
    silent = rule()
    with listening() as told:
        made = open_all([opening(silent, server) for server in farm(4)])
    assert [one.whole for one in made] == [None] * 4
    assert told == [(states.OPENED, [one.pk for one in made])]


def test_the_fifth_brings_the_first_four_along() -> None:
    silent, servers = rule(), farm(6)
    first = [opened(silent, server) for server in servers[:4]]
    with listening() as told:
        fifth = opened(silent, servers[4])
        sixth = opened(silent, servers[5])
    assert set(whole().members.all()) == {*first, fifth, sixth}
    assert told[0] == (states.OPENED, [whole().pk])
    assert (told[1][0], set(told[1][1])) == (states.JOINED, {one.pk for one in first})
    assert told[2:] == [(states.GREW, [whole().pk])]
    assert lines(first[0]) == [states.OPENED, states.JOINED]
    assert lines(whole()) == [states.OPENED, states.GREW]
    assert whole().facts["servers"] == 6
    assert whole().opened_at == first[0].opened_at


def test_what_opened_long_before_does_not_join() -> None:
    silent, servers = rule(), farm(5)
    old = opened(silent, servers[0])
    Incident.objects.update(recorded_at=timezone.now() - grouping.WITHIN - timedelta(seconds=1))
    open_all([opening(silent, server) for server in servers[1:]])
    assert not Incident.objects.filter(server=None).exists()
    assert Incident.objects.get(pk=old.pk).whole is None


def test_another_rules_incidents_do_not_count() -> None:
    one, other, servers = rule(), rule("Rebooted", kinds.REBOOTED), farm(6)
    open_all([opening(one, server) for server in servers[:4]] + [opening(other, server) for server in servers[4:]])
    assert not Incident.objects.filter(server=None).exists()


def test_many_services_of_one_server_are_not_many_servers(web1: Server) -> None:
    failed = rule("Service failed", kinds.FAILED)
    open_all([opening(failed, web1, f"{n}.service") for n in range(9)])
    assert not Incident.objects.filter(server=None).exists()


def test_the_whole_tells_what_its_members_share() -> None:
    failed, servers = rule("Service failed", kinds.FAILED), farm(7)
    open_all([opening(failed, server, "nginx.service", result="exit-code", exit=1) for server in servers[:5]])
    assert whole().subject == "nginx.service"
    assert whole().facts == {"result": "exit-code", "exit": 1, "members": 5, "servers": 5}
    opened(failed, servers[5], "nginx.service", result="exit-code", exit=137)
    assert whole().facts == {"result": "exit-code", "members": 6, "servers": 6}
    opened(failed, servers[6], "redis.service")
    assert (whole().subject, whole().facts) == ("", {"members": 7, "servers": 7})


@pytest.mark.parametrize(("below", "worst"), [(False, 99.0), (True, 91.0)])
def test_the_whole_has_the_worst_value(below: bool, worst: float) -> None:
    full, servers = rule("Memory", kinds.READING), farm(5)
    values = [91.0, 95.0, 99.0, 92.0, 93.0]
    facts: dict[str, Any] = {"metric": "mem", "below": below, "limit": 90}
    open_all([opening(full, server, value=value, **facts) for server, value in zip(servers, values, strict=True)])
    assert whole().worst == worst


def test_members_close_one_by_one_and_the_whole_with_the_last() -> None:
    silent, servers = rule(), farm(5)
    made = open_all([opening(silent, server) for server in servers])
    last = timezone.now() + timedelta(minutes=5)
    with listening() as told:
        close_all(made[:2])
        close_all(made[2:4])
        assert whole().state == states.OPEN
        assert told == []
        assert len(close_all(made[4:], last)) == 2
    assert told == [(states.ENDED, [whole().pk])]
    assert (whole().state, whole().closed_at, whole().close_reason) == (states.CLOSED, last, states.CLEARED)
    assert lines(whole()) == [states.OPENED, states.ENDED]
    assert close_all(made) == []


def test_after_it_closed_the_next_many_are_another() -> None:
    silent, servers = rule(), farm(5)
    close_all(open_all([opening(silent, server) for server in servers]))
    open_all([opening(silent, server) for server in servers])
    assert Incident.objects.filter(server=None).count() == 2
    assert Incident.objects.filter(server=None).live().count() == 1


def test_two_thousand_servers_lost_at_once_are_a_few_queries_and_one_incident(
    django_assert_num_queries: Any, web_group: ServerGroup
) -> None:
    silent = rule()
    openings = [opening(silent, server) for server in farm(2_000, web_group)]
    # in: insert, select; flapping; silences; whole: live, candidates, insert, select, members; lines; a savepoint's two
    with listening() as told, django_assert_num_queries(12):
        made = open_all(openings)
    assert len(made) == whole().members.count() == 2_000
    assert told == [(states.OPENED, [whole().pk])]
    assert IncidentEntry.objects.count() == 2_001
    # locks of wholes and members, flapping, close, whole, select, lines; a savepoint's two
    with listening() as told, django_assert_num_queries(9):
        closed = close_all(made)
    assert len(closed) == 2_001
    assert told == [(states.ENDED, [whole().pk])]


def test_acknowledging_the_whole_acknowledges_its_members(admin: User) -> None:
    made = open_all(openings_of(farm(5)))
    person_moves.acknowledge(admin, whole())
    assert set(Incident.objects.values_list("state", "acknowledged_by_name")) == {(states.ACKNOWLEDGED, "ada")}
    assert lines(made[0]) == [states.OPENED, states.TAKEN]
    person_moves.unacknowledge(admin, whole())
    assert set(Incident.objects.values_list("state", "acknowledged_by_name")) == {(states.OPEN, "")}


def test_it_is_acknowledged_when_its_last_open_member_closes_by_itself(admin: User) -> None:
    made = open_all(openings_of(farm(5)))
    for one in made[:4]:
        person_moves.acknowledge(admin, one)
    assert whole().state == states.OPEN
    close_all(made[4:])
    assert (whole().state, whole().acknowledged_by, whole().acknowledged_by_name) == ("acknowledged", admin, "ada")
    assert lines(whole()) == [states.OPENED, states.TAKEN]
    close_all(made[:4])
    assert whole().state == states.CLOSED


def test_it_stays_open_while_a_member_is_open_or_none_was_taken(admin: User) -> None:
    made = open_all(openings_of(farm(5)))
    close_all(made[:1])
    person_moves.acknowledge(admin, made[1])
    close_all(made[2:4])
    assert whole().state == states.OPEN
    assert lines(whole()) == [states.OPENED]


def test_what_joins_an_acknowledged_whole_opens_it_again(admin: User) -> None:
    silent, servers = rule(), farm(6)
    open_all([opening(silent, server) for server in servers[:5]])
    person_moves.acknowledge(admin, whole())
    opened(silent, servers[5])
    assert (whole().state, whole().acknowledged_by) == (states.OPEN, None)
    assert Incident.objects.filter(state=states.ACKNOWLEDGED).count() == 5


def test_one_acknowledges_only_the_members_one_sees(operator: User, web_group: ServerGroup, db1: Server) -> None:
    silent, mine = rule(), farm(5, web_group)
    open_all([opening(silent, server) for server in [*mine, db1]])
    person_moves.acknowledge(operator, whole())
    person_moves.acknowledge(operator, whole())  # there is nothing more
    assert whole().state == states.OPEN
    assert Incident.objects.get(server=db1).state == states.OPEN
    assert Incident.objects.filter(state=states.ACKNOWLEDGED).count() == 5


def test_the_last_member_acknowledged_acknowledges_the_whole(admin: User) -> None:
    made = open_all(openings_of(farm(5)))
    for one in made:
        assert whole().state == states.OPEN
        person_moves.acknowledge(admin, one)
    assert whole().state == states.ACKNOWLEDGED
    person_moves.unacknowledge(admin, made[0])
    assert whole().state == states.OPEN


def test_closing_the_whole_by_hand_closes_its_members(admin: User) -> None:
    open_all(openings_of(farm(5)))
    person_moves.close_by_hand(admin, whole(), "The switch is being replaced")
    assert set(Incident.objects.values_list("state", "close_reason")) == {(states.CLOSED, states.BY_HAND)}


def test_one_with_members_elsewhere_cannot_be_snoozed(operator: User, web_group: ServerGroup, db1: Server) -> None:
    made = open_all(openings_of([*farm(4, web_group), db1]))
    soon = timezone.now() + timedelta(hours=1)
    with pytest.raises(Exception, match="outside of your scope"):
        person_moves.snooze(operator, whole(), soon)
    with pytest.raises(Exception, match="snooze the incident of many servers"):
        person_moves.snooze(operator, made[0], soon)


def test_when_its_servers_are_deleted_it_ends() -> None:
    servers = farm(5)
    open_all(openings_of(servers))
    assert endings.end_empty() == 0
    for server in servers:
        server.delete()
    assert endings.end_empty() == 1
    assert (whole().state, whole().close_reason) == (states.CLOSED, states.SUBJECT_GONE)


def test_who_sees_a_member_sees_the_whole(operator: User, outsider: User, web_group: ServerGroup) -> None:
    open_all(openings_of(farm(5, web_group)))
    assert Incident.objects.visible_to(operator).filter(server=None).exists()
    assert not Incident.objects.visible_to(outsider).exists()
