"""Two at once, on a real database: a schedule runs once, and what a person changed is not run as it was."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from actions.models import AuditEntry, Command
from actions.schedules import due, moves
from servers.models import Server
from tests.actions.making import service
from tests.actions.schedules.making import schedule
from tests.actions.test_races import ROUNDS, together

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_workers_give_one_command(web1: Server, operator: User) -> None:
    for number in range(ROUNDS):
        name = f"{number}.service"
        service(web1, name)
        one = schedule(web1, operator, target=name)
        together(due.run, due.run, due.run)
        assert Command.objects.filter(target=name).count() == 1
        assert AuditEntry.objects.filter(schedule=one).count() == 1


def test_a_run_and_a_pause_do_not_both_win(web1: Server, operator: User) -> None:
    for number in range(ROUNDS):
        name = f"{number}.service"
        service(web1, name)
        one = schedule(web1, operator, target=name)
        together(due.run, lambda one=one: moves.pause(operator, one))  # type: ignore[misc]
        one.refresh_from_db()
        assert (one.enabled, one.next_at) == (False, None)
        ran = AuditEntry.objects.filter(schedule=one, event="schedule.ran").count()
        assert Command.objects.filter(target=name).count() == ran
        assert due.run() == 0


def test_a_changed_time_is_not_run_at_the_old_one(web1: Server, operator: User) -> None:
    service(web1)
    one = schedule(web1, operator)
    later = timezone.now() + timedelta(hours=1)
    moves.change(operator, one, moves.plan_of(one)._replace(cron="", once_at=later))
    assert due.run() == 0
    one.refresh_from_db()
    assert one.next_at == later
