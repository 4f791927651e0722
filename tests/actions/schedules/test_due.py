"""What is due: given once, in the name and with the rights of whoever answers for it; missed, refused, on record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from actions import ask, states
from actions.models import AuditEntry, Command, ProtectedUnit
from actions.schedules import due
from servers.models import Server
from tests.actions.making import NGINX, ago, command, service
from tests.actions.schedules.making import NIGHTLY, events, schedule

pytestmark = pytest.mark.django_db


def test_a_run_is_a_command_like_any_other(web1: Server, operator: User) -> None:
    service(web1)
    one = schedule(web1, operator, deliver_within_sec=600, execute_within_sec=60)
    at = one.next_at
    assert due.run() == 1
    given = Command.objects.get()
    assert (given.cmd, given.target, given.state, given.schedule) == ("restart", NGINX, states.QUEUED, one)
    assert (given.asked_by, given.asked_by_name, given.reason) == (operator, "oleg", "Weekly memory defragmentation")
    assert (given.deliver_by - given.created_at).total_seconds() == 600
    assert given.expect is None
    one.refresh_from_db()
    assert (one.last_at, one.last_outcome) == (at, "ran")
    assert one.next_at is not None
    assert one.next_at > timezone.now()
    assert (one.next_at.hour, one.next_at.minute) == (3, 30)
    entry = AuditEntry.objects.get(schedule=one)
    assert (entry.event, entry.command, entry.actor, entry.server) == ("schedule.ran", given, "oleg", web1)
    assert AuditEntry.objects.filter(command=given, event="command.queued").exists()


def test_it_runs_once(web1: Server, operator: User) -> None:
    service(web1)
    schedule(web1, operator)
    assert [due.run(), due.run()] == [1, 0]
    assert Command.objects.count() == 1


def test_a_single_run_is_over_then(web1: Server, operator: User) -> None:
    service(web1)
    one = schedule(web1, operator, cron="", once_at=ago(1))
    due.run()
    one.refresh_from_db()
    assert (one.next_at, one.state) == (None, "done")


@pytest.mark.parametrize(
    "columns", [{"next_at": timezone.now() + timedelta(hours=1)}, {"enabled": False, "next_at": None}]
)
def test_what_is_not_due_does_not_run(web1: Server, operator: User, columns: dict[str, Any]) -> None:
    service(web1)
    schedule(web1, operator, **columns)
    assert due.run() == 0
    assert not Command.objects.exists()


@pytest.mark.parametrize(("late", "outcome"), [(290, "ran"), (310, "missed")])
def test_past_its_grace_it_is_missed_and_does_not_run(web1: Server, operator: User, late: float, outcome: str) -> None:
    service(web1)
    one = schedule(web1, operator, cron="", once_at=ago(late), next_at=ago(late))
    due.run()
    one.refresh_from_db()
    assert (one.last_outcome, one.next_at, Command.objects.count()) == (outcome, None, int(outcome == "ran"))
    assert events(one) == [f"schedule.{outcome}"]


def test_a_hub_that_was_away_counts_what_it_missed_and_gives_what_is_within_the_grace(
    web1: Server, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    service(web1)
    one = schedule(web1, operator, cron="0,30 * * * *", next_at=datetime(2026, 11, 25, 3, tzinfo=UTC))
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 11, 25, 5, 2, tzinfo=UTC))
    assert [due.run(), due.run(), due.run()] == [1, 1, 0]
    one.refresh_from_db()
    assert f"{one.next_at:%H:%M}" == "05:30"
    assert events(one) == ["schedule.missed", "schedule.ran"]
    missed = AuditEntry.objects.get(event="schedule.missed")
    assert (missed.facts["runs"], missed.facts["due"], missed.actor) == (4, "2026-11-25T03:00:00+00:00", "hub")
    assert Command.objects.count() == 1


def lose_role(user: User, server: Server) -> None:
    user.groups.set([Group.objects.get_or_create(name="viewer")[0]])


def lose_scope(user: User, server: Server) -> None:
    user.scope.groups.clear()


def leave(user: User, server: Server) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def be_deleted(user: User, server: Server) -> None:
    user.scope.delete()
    user.delete()


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        (lose_role, "oleg, in whose name it runs, may not act any more."),
        (lose_scope, "oleg, in whose name it runs, may not act on this server any more."),
        (leave, "oleg, in whose name it runs, has no account any more."),
        (be_deleted, "oleg, in whose name it runs, has no account any more."),
    ],
)
def test_whoever_lost_the_right_gives_nothing(web1: Server, operator: User, lost: Any, said: str) -> None:
    service(web1)
    one = schedule(web1, operator)
    lost(operator, web1)
    due.run()
    one.refresh_from_db()
    assert not Command.objects.exists()
    assert (one.last_outcome, one.last_why) == ("refused", said)
    assert AuditEntry.objects.get(schedule=one).facts["why"] == said
    assert one.next_at is not None
    assert one.next_at > timezone.now()


def test_what_the_agent_does_not_offer_is_refused(web1: Server, operator: User) -> None:
    service(web1, verbs=[])
    one = schedule(web1, operator)
    due.run()
    one.refresh_from_db()
    assert one.last_why == "The agent of this server does not offer to restart nginx.service."
    assert events(one) == ["schedule.refused"]
    assert AuditEntry.objects.filter(event="command.denied").count() == 1


def test_a_service_that_became_protected_is_refused_until_somebody_types_its_name(web1: Server, operator: User) -> None:
    service(web1)
    ProtectedUnit.objects.create(pattern=NGINX, kind="other")
    first, second = schedule(web1, operator), schedule(web1, operator, typed="nginx")
    due.run()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.last_outcome, second.last_outcome) == ("refused", "ran")
    assert "nginx.service" in first.last_why


def test_the_same_command_at_work_is_joined_and_another_refuses(web1: Server, operator: User) -> None:
    service(web1)
    there = command(web1)
    same, other = schedule(web1, operator), schedule(web1, operator, cmd="stop")
    due.run()
    same.refresh_from_db()
    other.refresh_from_db()
    assert (same.last_outcome, other.last_outcome) == ("joined", "refused")
    assert AuditEntry.objects.get(event="schedule.ran").command == there
    assert Command.objects.get().schedule is None


def test_one_that_fails_holds_up_no_other_and_is_tried_again(
    web1: Server, web2: Server, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    service(web1)
    service(web2)
    broken, sound = schedule(web1, operator), schedule(web2, operator)
    whole = ask.ask

    def fails(user: Any, server: Server, *args: Any, **more: Any) -> ask.Asked:
        if server == web1:
            raise RuntimeError("no such luck")
        return whole(user, server, *args, **more)

    monkeypatch.setattr(ask, "ask", fails)
    assert due.run() == 1
    assert Command.objects.get().schedule == sound
    at = broken.next_at
    broken.refresh_from_db()
    assert (broken.next_at, events(broken)) == (at, [])
    monkeypatch.setattr(ask, "ask", whole)
    assert due.run() == 1
    assert events(broken) == ["schedule.ran"]


def test_looking_for_nothing_is_one_query(web1: Server, operator: User, django_assert_num_queries: Any) -> None:
    for _number in range(5):
        schedule(web1, operator, next_at=timezone.now() + timedelta(hours=1), cron=NIGHTLY)
    with django_assert_num_queries(1):
        due.run()
