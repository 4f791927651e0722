"""Two workers at once, on a real database: a rule acts once, and spends no more than its budget."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from actions.models import AuditEntry, Command
from alerts import states
from alerts.models import IncidentEntry, Remedy, Rule
from alerts.remedy import acting, following
from alerts.rules import kinds
from servers.models import Server
from tests.actions.making import service
from tests.actions.test_races import ROUNDS, together
from tests.alerts.opening import lines, opened, rule

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
def test_two_incidents_that_want_the_same_service_spend_no_more_than_the_budget(
    web1: Server, operator: User, most: int
) -> None:
    service(web1, "php-fpm.service")
    for number in range(ROUNDS):
        made = acting_on_php(operator, number, most)
        for disk in range(4):
            opened(made, web1, f"/{disk}", limit=90)
        together(*[acting.act] * 4)
        own = Remedy.objects.filter(rule=made, command__isnull=False, joined=False)
        assert own.count() == most, [(one.outcome, one.why) for one in Remedy.objects.filter(rule=made)]
        Command.objects.filter(state="queued").update(state="cancelled", ended_at=timezone.now())


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
