"""Deadlines when the hub's clock was set, or its worker was away."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from actions import deadlines, lifecycle, states, steady, verdicts
from actions.models import AuditEntry
from servers.models import Server
from servers.presence import Watch
from tests.actions.making import RUNNING, ago, command, newest, service

pytestmark = pytest.mark.django_db
AHEAD = -8 * 3600  # seconds ago: in eight hours


@pytest.fixture
def set_just_now(_awake: Watch) -> datetime:
    """The hub's clock was set a moment ago, or its worker came back then."""
    _awake.awake = timezone.now()
    return _awake.awake


def test_what_was_asked_under_a_clock_since_set_back_is_never_delivered(web1: Server) -> None:
    late = command(web1, created_at=ago(AHEAD), deliver_by=ago(AHEAD - 60))
    assert lifecycle.claim(web1) == []
    assert deadlines.expire_undelivered() == 1
    late.refresh_from_db()
    assert (late.state, late.verdict) == (states.EXPIRED, "expired_clock")
    assert verdicts.sentence(late) == "The hub's clock was set back while it waited. It will never run."


def test_clocks_that_differ_by_seconds_hold_up_nothing(web1: Server) -> None:
    asked = command(web1, created_at=ago(-2), deliver_by=ago(-62))
    assert deadlines.expire_undelivered() == 0
    assert lifecycle.claim(web1) == [asked]


def test_a_lease_of_a_clock_since_set_back_is_over(web1: Server) -> None:
    leased = command(web1, states.DELIVERED, created_at=ago(20), lease_until=ago(AHEAD))
    assert deadlines.requeue_unacknowledged() == 1
    leased.refresh_from_db()
    assert leased.state == states.QUEUED


@pytest.mark.parametrize("started", [ago(3 * 3600), ago(AHEAD)])
def test_a_running_command_has_its_full_time_from_the_break_on(
    web1: Server, set_just_now: datetime, started: datetime
) -> None:
    times = {"started_at": started, "execute_by": started + timedelta(seconds=120)}
    running = command(web1, states.RUNNING, **times)
    assert deadlines.time_out_unanswered() == 0
    running.refresh_from_db()
    assert running.state == states.RUNNING
    assert running.execute_by == set_just_now + timedelta(seconds=120)
    assert running.started_at is not None
    assert running.started_at <= timezone.now()
    assert not AuditEntry.objects.exists()
    assert deadlines.time_out_unanswered() == 0, "and not again and again"
    running.refresh_from_db()
    assert running.execute_by == set_just_now + timedelta(seconds=120)


@pytest.mark.parametrize("listed", [2, AHEAD])
def test_a_list_from_before_the_break_settles_nothing(web1: Server, set_just_now: datetime, listed: float) -> None:
    times = {"started_at": ago(300), "execute_by": ago(180), "evidence": {"before": RUNNING}}
    there = command(web1, states.UNKNOWN, **times)
    newest(web1, services_at=ago(listed), sampled_at=ago(0))
    service(web1, main_pid=456)
    assert deadlines.resolve_unknown() == 0
    there.refresh_from_db()
    assert there.state == states.UNKNOWN
    assert steady.begun_at(there) == set_just_now


def test_what_began_since_is_left_as_it_is(web1: Server, django_assert_num_queries: Any) -> None:
    running = command(web1, states.RUNNING, execute_by=ago(16))
    with django_assert_num_queries(1):
        steady.minded()
    assert deadlines.time_out_unanswered() == 1
    running.refresh_from_db()
    assert running.state == states.UNKNOWN
