"""Two workers at once, on a real database: a rule acts once, and spends no more than its budget."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from actions.models import AuditEntry, Command
from alerts import states
from alerts.models import IncidentEntry, Remedy, Rule
from alerts.remedy import acting, following, record
from alerts.rules import kinds
from servers.models import Server
from tests.actions.making import command, service
from tests.actions.test_races import ROUNDS, together
from tests.alerts.acting_rules import lines, opened, rule

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_workers_act_once(web1: Server, operator: User) -> None:
    made = rule(operator)
    for number in range(ROUNDS):
        name = f"{number}.service"
        service(web1, name, active_state="failed")
        incident = opened(made, web1, name)
        together(acting.act, acting.act, acting.act)
        assert Command.objects.filter(target=name).count() == 1
        assert AuditEntry.objects.filter(event="remedy.acted", target=name).count() == 1
        assert lines(incident) == ["opened", "acted"]


@pytest.mark.parametrize("most", [1, 2])
def test_incidents_that_want_the_same_service_spend_no_more_than_the_budget_together(
    web1: Server, operator: User, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting, "_act", done_at_once)
    service(web1, "php-fpm.service")
    for number in range(ROUNDS):
        made = acting_on_php(operator, number, most)
        incidents = [opened(made, web1, f"/{disk}", limit=90) for disk in range(4)]
        together(*[acting.act] * 4)
        assert Command.objects.filter(reason=made.name).count() == most
        assert sorted(lines(one)[1] for one in incidents) == ["acted"] * most + ["gave up"] * (4 - most)


def done_at_once(remedy: Remedy) -> None:
    """What a rule asks for is over before another worker counts, so that no active command keeps that one off."""
    time.sleep(0.02)
    record.acted(remedy, command=command(remedy.server, "failed", target=remedy.target, reason=remedy.rule.name))


def acting_on_php(operator: User, number: int, most: int) -> Rule:
    """A rule whose incidents all act on one service, without a pause between two."""
    return rule(
        operator,
        name=f"Disk {number}",
        kind=kinds.DISK_USED,
        remedy_target="php-fpm.service",
        remedy_most=most,
        remedy_cooldown_sec=0,
    )


def test_two_workers_write_an_outcome_once(web1: Server, operator: User) -> None:
    made = rule(operator)
    for number in range(ROUNDS):
        name = f"{number}.service"
        service(web1, name)
        incident = opened(made, web1, name)
        acting.act()
        Command.objects.filter(target=name).update(state="failed", ended_at=timezone.now())
        together(following.follow, following.follow)
        assert IncidentEntry.objects.filter(incident=incident, kind=states.ACT_ENDED).count() == 1
        assert Remedy.objects.filter(incident=incident, outcome="").count() == 1, "planned once"
