"""Subjects that come and go: live all the time, told once, over once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from alerts import person_moves, states
from alerts.incidents import endings, flapping
from alerts.models import Incident, Rule
from alerts.rules import kinds
from servers.models import Server
from tests.alerts.opening import Told, close_all, farm, lines, listening, open_all, opened, opening, rule

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def failed(db: None) -> Rule:
    return rule("A service failed", kinds.FAILED)


def comes_and_goes(one: Rule, server: Server, times: int, since: datetime, apart: timedelta = 2 * MINUTE) -> datetime:
    """Open and close the subject so often; returns when it was well for the last time."""
    for n in range(times):
        open_all([opening(one, server, "nginx.service", since + n * apart)])
        at = since + n * apart + MINUTE
        close_all(Incident.objects.live().filter(server=server), at)
    return at


def kinds_of(told: Told) -> list[str]:
    return [kind for kind, _numbers in told]


def test_the_third_opening_in_half_an_hour_flaps(failed: Rule, web1: Server) -> None:
    start = timezone.now() - 10 * MINUTE
    with listening() as told:
        comes_and_goes(failed, web1, 7, start)
    assert kinds_of(told) == [*[states.OPENED, states.ENDED] * 2, states.OPENED, states.FLAPPING]
    one = Incident.objects.live().get()
    assert (one.flapping, one.flapping_since, one.reopened) == (True, start, 6)
    assert lines(one) == [states.OPENED, states.FLAPPING]
    assert Incident.objects.count() == 3


def test_two_do_not(failed: Rule, web1: Server) -> None:
    comes_and_goes(failed, web1, 2, timezone.now() - 10 * MINUTE)
    assert not Incident.objects.filter(flapping=True).exists()
    assert not Incident.objects.live().exists()


def test_three_within_longer_do_not(failed: Rule, web1: Server) -> None:
    comes_and_goes(failed, web1, 3, timezone.now() - 40 * MINUTE, 15 * MINUTE)
    assert not Incident.objects.filter(flapping=True).exists()


def test_another_subject_or_server_is_counted_by_itself(failed: Rule, web1: Server, web2: Server) -> None:
    comes_and_goes(failed, web1, 2, timezone.now() - 10 * MINUTE)
    made = open_all([opening(failed, web1, "redis.service"), opening(failed, web2, "nginx.service")])
    assert [one.flapping for one in made] == [False, False]


def test_what_a_person_closed_is_not_counted(failed: Rule, web1: Server) -> None:
    for _time in range(3):
        one = opened(failed, web1, "nginx.service")
        close_all([one], reason=states.BY_HAND)
    assert not one.flapping


def test_it_is_live_while_it_is_calm_and_closes_once(failed: Rule, web1: Server) -> None:
    well = comes_and_goes(failed, web1, 3, timezone.now() - flapping.QUIET - 4 * MINUTE)
    assert well > timezone.now() - flapping.QUIET
    assert endings.end_calm() == 0
    one = Incident.objects.live().get()
    assert one.calm_since == well
    Incident.objects.update(calm_since=well - 10 * MINUTE)
    with listening() as told:
        assert endings.end_calm() == 1
        assert endings.end_calm() == 0
    assert told == [(states.ENDED, [one.pk])]
    one.refresh_from_db()
    assert (one.closed_at, one.close_reason) == (well - 10 * MINUTE + flapping.QUIET, states.CLEARED)


def test_coming_back_in_between_starts_the_quiet_anew(failed: Rule, web1: Server) -> None:
    well = comes_and_goes(failed, web1, 3, timezone.now() - 30 * MINUTE)
    Incident.objects.live().update(calm_since=well - 10 * MINUTE)
    with listening() as told:
        assert open_all([opening(failed, web1, "nginx.service")]) == []
        assert endings.end_calm() == 0
    assert told == []
    one = Incident.objects.live().get()
    assert (one.calm_since, one.reopened) == (None, 3)


def test_told_twice_that_it_is_well_is_well_since_the_first_time(failed: Rule, web1: Server) -> None:
    well = comes_and_goes(failed, web1, 3, timezone.now() - 10 * MINUTE)
    assert close_all(list(Incident.objects.live()), well + MINUTE) == []
    assert Incident.objects.live().get().calm_since == well


@pytest.mark.parametrize("reason", [states.RULE_OFF, states.RULE_DELETED, states.SUBJECT_GONE])
def test_without_its_rule_it_closes_at_once(failed: Rule, web1: Server, reason: str) -> None:
    comes_and_goes(failed, web1, 3, timezone.now() - 10 * MINUTE)
    assert len(close_all(list(Incident.objects.live()), reason=reason)) == 1


def test_a_person_can_close_it(failed: Rule, web1: Server, operator: User) -> None:
    comes_and_goes(failed, web1, 3, timezone.now() - 10 * MINUTE)
    person_moves.close_by_hand(operator, Incident.objects.live().get())
    assert not Incident.objects.live().exists()
    assert opened(failed, web1, "nginx.service").flapping is True  # in an incident of its own, as it still does


def test_many_servers_that_flap_are_told_of_as_one(failed: Rule) -> None:
    servers, start = farm(5), timezone.now() - 10 * MINUTE
    with listening() as told:
        for n in range(6):
            at = start + n * MINUTE
            open_all([opening(failed, server, "nginx.service", at) for server in servers])
            close_all(list(Incident.objects.live().filter(server__isnull=False)), at)
    assert kinds_of(told) == [*[states.OPENED, states.ENDED] * 2, states.OPENED]
    assert Incident.objects.filter(server=None).live().count() == 1
    Incident.objects.live().update(calm_since=start - flapping.QUIET)
    with listening() as told:
        assert endings.end_calm() == 6
    assert kinds_of(told) == [states.ENDED]
