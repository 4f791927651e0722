"""Which incidents nobody is told of: silences by scope and rule, and windows by their own clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from alerts import states
from alerts.models import Incident, Silence
from alerts.quiet import covering, silences
from servers.models import Server
from tests.alerts.opening import Told, close_all, farm, lines, listening, open_all, opened, opening, rule
from tests.alerts.quiet.making import silence, window

pytestmark = pytest.mark.django_db
NIGHTLY = "30 23 * * *"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def holding(one: Silence, *moments: str) -> list[bool]:
    return [covering.holds(one, at(moment)) for moment in moments]


def moves(told: Told) -> list[str]:
    return [kind for kind, _numbers in told]


# When


def test_a_silence_holds_from_its_begin_to_its_end() -> None:
    one = Silence(starts_at=at("2026-11-20T12:00Z"), ends_at=at("2026-11-20T13:00Z"))
    assert holding(one, "2026-11-20T11:59:59Z", "2026-11-20T12:00Z", "2026-11-20T12:59:59Z", "2026-11-20T13:00Z") == [
        False, True, True, False,
    ]  # fmt: skip
    one.ended_at = at("2026-11-20T12:30Z")
    assert holding(one, "2026-11-20T12:29Z", "2026-11-20T12:30Z") == [True, False]


def test_a_window_reaches_over_midnight() -> None:
    one = window(NIGHTLY, 120)  # 23:30 to 01:30 in Bucharest, which is two hours ahead in winter
    assert holding(one, "2026-11-20T21:29Z", "2026-11-20T21:30Z", "2026-11-20T23:29:59Z", "2026-11-20T23:30Z") == [
        False, True, True, False,
    ]  # fmt: skip


def test_a_window_is_by_its_own_clock_in_summer_and_winter() -> None:
    one = window("0 12 * * *", 60)
    assert holding(one, "2026-01-20T10:30Z", "2026-01-20T09:30Z") == [True, False]
    assert holding(one, "2026-07-20T10:30Z", "2026-07-20T09:30Z") == [False, True]


@pytest.mark.parametrize(
    ("zone", "began"),
    [
        ("Pacific/Kiritimati", "2026-11-19T22:00Z"),  # +14
        ("Asia/Kolkata", "2026-11-20T06:30Z"),  # +5:30
        ("America/Los_Angeles", "2026-11-20T20:00Z"),
        ("Pacific/Niue", "2026-11-20T23:00Z"),  # -11
        ("UTC", "2026-11-20T12:00Z"),
    ],
)
def test_a_window_is_meant_by_its_zone_east_and_west(zone: str, began: str) -> None:
    one, start = window("0 12 20 NOV *", 30, zone), at(began)
    inside = [covering.holds(one, start + timedelta(minutes=minutes)) for minutes in (-1, 0, 29, 30)]
    assert inside == [False, True, True, False]


def test_a_window_that_the_clock_leaves_out_begins_right_after() -> None:
    one = window("30 3 * * *", 60)  # on 29 March 2026 Bucharest goes from 03:00 to 04:00, at 01:00 UTC
    assert holding(one, "2026-03-29T00:59Z", "2026-03-29T01:00Z", "2026-03-29T01:59Z", "2026-03-29T02:00Z") == [
        False, True, True, False,
    ]  # fmt: skip


def test_a_window_whose_begin_comes_twice_comes_once() -> None:
    one = window("30 3 * * *", 20)  # on 25 October 2026 03:30 is at 00:30 UTC and again at 01:30 UTC
    assert holding(one, "2026-10-25T00:30Z", "2026-10-25T00:50Z", "2026-10-25T01:30Z") == [True, False, False]


@pytest.mark.parametrize(
    ("start", "end"), [("2026-03-29T00:00Z", "2026-03-29T04:00Z"), ("2026-10-24T23:00Z", "2026-10-25T03:00Z")]
)
def test_a_window_over_a_change_of_the_clock_is_as_long_as_any(start: str, end: str) -> None:
    one = window("0 2 * * SUN", 240)
    second = timedelta(seconds=1)
    assert [covering.holds(one, moment) for moment in (at(start) - second, at(start), at(end) - second, at(end))] == [
        False, True, True, False,
    ]  # fmt: skip
    assert covering.until(one, at(start)) == at(end)


def test_windows_that_overlap_hold_through() -> None:
    one = window("0 * * * *", 90)
    assert holding(one, "2026-11-20T12:59Z", "2026-11-20T13:00Z", "2026-11-20T13:59Z") == [True] * 3


@pytest.mark.parametrize(
    ("cron", "minutes", "columns", "end"),
    [
        ("0 12 * * *", 60, {}, "2026-11-20T13:00Z"),
        ("0 * * * *", 120, {}, None),
        ("0 * * * *", 60, {}, None),  # they touch
        ("0 * * * *", 59, {}, "2026-11-20T12:59Z"),
        ("0 * * * *", 120, {"ends_at": at("2026-11-20T18:30Z")}, "2026-11-20T18:30Z"),
        ("0 12 * * *", 60, {"ends_at": at("2026-11-20T12:45Z")}, "2026-11-20T12:45Z"),
        ("0 11-13 * * *", 90, {}, "2026-11-20T14:30Z"),
        ("0 * * * MON-FRI", 120, {}, "2026-11-21T01:00Z"),
        ("0 0 * 1-11 *", 1_440, {}, "2026-12-01T00:00Z"),
        ("*/5 * * * *", 10_080, {}, None),
    ],
)
def test_windows_without_a_gap_end_with_the_last(
    cron: str, minutes: int, columns: dict[str, Any], end: str | None
) -> None:
    one = window(cron, minutes, "UTC", **columns)
    assert covering.until(one, at("2026-11-20T12:30Z")) == (at(end) if end else None)


def test_windows_hold_between_their_begin_and_their_end_alone() -> None:
    one = window("0 * * * *", 30, starts_at=at("2026-11-20T12:10Z"), ends_at=at("2026-11-20T14:10Z"))
    assert holding(one, "2026-11-20T12:05Z", "2026-11-20T12:15Z", "2026-11-20T14:05Z", "2026-11-20T14:15Z") == [
        False, True, True, False,
    ]  # fmt: skip


# Which


@pytest.mark.parametrize(
    ("columns", "covered"),
    [
        ({}, True),
        ({"scope": "group:web"}, True),
        ({"scope": "srv-web-*"}, True),
        ({"scope": "env=prod"}, True),
        ({"scope": "env=test"}, False),
        ({"scope": "group:db"}, False),
        ({"scope": "srv-web-02"}, False),
        ({"ends_at": timezone.now() - timedelta(seconds=1)}, False),
        ({"starts_at": timezone.now() + timedelta(days=300), "ends_at": None}, False),
        ({"ended_at": timezone.now() - timedelta(seconds=1)}, False),
    ],
)
def test_what_opens_is_silenced_by_scope(web1: Server, columns: dict[str, Any], covered: bool) -> None:
    web1.labels = {"env": "prod"}
    web1.save(update_fields=["labels"])
    one = silence(**columns)
    with listening() as told:
        incident = opened(rule(), web1)
    assert incident.silence_id == (one.pk if covered else None)
    incident.refresh_from_db()
    assert incident.silence == (one if covered else None)
    assert moves(told) == [states.OPENED, *[states.SILENCED] * covered]


def test_listeners_see_the_silence_at_the_opening(web1: Server) -> None:
    silence()
    seen = []
    with listening():
        from_listener = opened(rule(), web1)
        seen.append(from_listener.silence_id)
    assert seen == [Silence.objects.get().pk]


def test_a_silence_of_one_rule_leaves_others_loud(web1: Server) -> None:
    quiet, loud = rule(), rule("Another")
    silence(rule=quiet)
    assert opened(quiet, web1).silence is not None
    assert opened(loud, web1).silence is None


# What changes while incidents are live


def test_a_silence_made_while_an_incident_is_live_covers_it_at_once(web1: Server, admin: User) -> None:
    incident = opened(rule(), web1)
    plan = silences.Plan("Being replaced", ends_at=timezone.now() + timedelta(hours=1))
    with listening() as told:
        made = silences.make(admin, plan)
    incident.refresh_from_db()
    assert incident.silence == made
    assert told == [(states.SILENCED, [incident.pk])]
    assert covering.keep() == 0
    assert lines(incident) == [states.OPENED, states.SILENCED]


def test_what_is_live_when_a_silence_ends_is_told_then(web1: Server) -> None:
    one = silence()
    incident = opened(rule(), web1)
    assert covering.keep() == 0
    Silence.objects.update(ends_at=timezone.now())
    with listening() as told:
        assert covering.keep() == 1
        assert covering.keep() == 0
    assert told == [(states.UNSILENCED, [incident.pk])]
    incident.refresh_from_db()
    assert incident.silence is None
    assert lines(incident) == [states.OPENED, states.SILENCED, states.UNSILENCED]
    assert one.incidents.count() == 0


def test_what_closed_in_between_is_not_told(web1: Server) -> None:
    one = silence()
    incident = opened(rule(), web1)
    close_all([incident])
    Silence.objects.update(ends_at=timezone.now())
    assert covering.keep() == 0
    incident.refresh_from_db()
    assert incident.silence == one  # as it was when it closed


def test_a_window_that_begins_and_ends(web1: Server) -> None:
    incident = opened(rule(), web1)
    minute = timezone.now().minute
    one = window(f"{minute} * * * *", 5, "UTC", reason="Nightly", made_by_name="ada", made_at=timezone.now())
    one.save()
    with listening() as told:
        covering.keep()
        Silence.objects.update(duration_sec=0)
        covering.keep()
    assert moves(told) == [states.SILENCED, states.UNSILENCED]
    assert lines(incident) == [states.OPENED, states.SILENCED, states.UNSILENCED]


def test_of_two_that_overlap_the_second_takes_over_without_a_word(web1: Server) -> None:
    short, long = silence(scope="srv-web-01"), silence(ends_at=timezone.now() + timedelta(hours=9))
    incident = opened(rule(), web1)
    assert incident.silence == long
    with listening() as told:
        Silence.objects.filter(pk=long.pk).update(ended_at=timezone.now())
        assert covering.keep() == 1
        assert told == []
        Silence.objects.filter(pk=short.pk).update(ended_at=timezone.now())
        assert covering.keep() == 1
    assert moves(told) == [states.UNSILENCED]


def test_a_server_that_leaves_the_scope_is_told_of(web1: Server) -> None:
    silence(scope="env=prod")
    Server.objects.update(labels={"env": "prod"})
    opened(rule(), web1)
    Server.objects.update(labels={"env": "test"})
    with listening() as told:
        covering.keep()
    assert moves(told) == [states.UNSILENCED]


# Of many servers


def test_many_that_are_all_silenced_are_silenced_as_one() -> None:
    one, lost, servers = silence(), rule(), farm(5)
    with listening() as told:
        open_all([opening(lost, server) for server in servers])
    whole = Incident.objects.get(server=None)
    assert whole.silence == one
    assert told == [(states.OPENED, [whole.pk]), (states.SILENCED, [whole.pk])]
    Silence.objects.update(ended_at=timezone.now())
    with listening() as told:
        assert covering.keep() == 5
    assert told == [(states.UNSILENCED, [whole.pk])]


def test_one_that_is_not_silenced_makes_the_whole_loud() -> None:
    servers = farm(6)
    lost = rule()
    silence(scope=" ".join(server.agent_id for server in servers[:5]))
    open_all([opening(lost, server) for server in servers[:5]])
    whole = Incident.objects.get(server=None)
    assert whole.silence is not None
    with listening() as told:
        last = opened(lost, servers[5])
    assert told == [(states.GREW, [whole.pk]), (states.UNSILENCED, [whole.pk])]
    close_all([last])
    with listening() as told:
        covering.keep()
    assert told == [(states.SILENCED, [whole.pk])]


def test_a_step_without_silences_is_three_queries(web1: Server, django_assert_num_queries: Any) -> None:
    opened(rule(), web1)
    with django_assert_num_queries(5):  # a savepoint's two, silences, silenced incidents, wholes
        assert covering.keep() == 0


def test_two_thousand_live_incidents_are_silenced_in_a_few_queries(django_assert_num_queries: Any) -> None:
    lost = rule()
    open_all([opening(lost, server) for server in farm(2_000)])
    silence(scope="srv-*")
    with django_assert_num_queries(20):
        assert covering.keep() == 2_000
    assert not Incident.objects.filter(silence=None).exists()
