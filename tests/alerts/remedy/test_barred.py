"""Where a rule does not act by itself: it says so once, in the timeline and on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from actions.models import AuditEntry, Command, ProtectedUnit
from alerts import states
from alerts.models import Incident, IncidentEntry, Remedy, Rule, Silence
from alerts.quiet import covering
from alerts.remedy import acting, outcomes, words
from alerts.rules import kinds
from servers.models import Server, ServerGroup, Service
from tests.actions.making import NGINX, service
from tests.alerts.acting_rules import acted, closed, fails, line, lines, make_due, opened, rule
from tests.cast import enrolled

pytestmark = pytest.mark.django_db


def unasked(incident: Incident, why: str) -> IncidentEntry:
    """Nothing was asked for, said once, and on record."""
    for _ in range(2):
        make_due()
        acting.act()
    assert Command.objects.count() == 0
    entry = line(incident, states.NOT_ACTED)
    assert entry.facts["why"] == why
    assert AuditEntry.objects.filter(event="remedy.held", facts__why=why).count() == 1
    return entry


def test_a_maker_who_lost_the_role_the_scope_or_the_account(web1: Server, restarts: Rule, operator: User) -> None:
    operator.groups.set([Group.objects.get_or_create(name="viewer")[0]])
    entry = unasked(opened(restarts, web1), outcomes.RIGHTS)
    sentence = "It did not act. oleg, in whose name it runs, may not act any more."
    assert words.sentence(entry) == sentence
    del entry.facts["said"]  # the record's; a reader is told in a sentence of their own language
    assert words.sentence(entry) == sentence
    assert AuditEntry.objects.get(event="remedy.held").cmd == "restart"


def test_a_maker_who_does_not_see_the_server(db1: Server, restarts: Rule) -> None:
    service(db1, "nginx.service")
    entry = unasked(opened(restarts, db1), outcomes.RIGHTS)
    assert "may not act on this server any more" in words.sentence(entry)


def test_a_maker_without_an_account(web1: Server, restarts: Rule, operator: User) -> None:
    incident = opened(restarts, web1)
    operator.delete()
    assert "oleg, in whose name it runs, has no account any more." in words.sentence(unasked(incident, outcomes.RIGHTS))


def test_a_rule_that_nobody_made_does_not_act(web1: Server, nginx: Service) -> None:
    made = rule(remedy_cmd="restart")
    assert "Nobody, in whose name it runs" in words.sentence(unasked(opened(made, web1), outcomes.RIGHTS))


def test_protected_services_only_where_the_rule_may(web1: Server, operator: User) -> None:
    ProtectedUnit.objects.get_or_create(pattern="ssh.service")  # in case that tests with transactions emptied the table
    service(web1, "ssh.service", aliases=["sshd.service"])
    never = rule(operator, remedy_target="sshd.service")
    entry = unasked(opened(never, web1), outcomes.PROTECTED)
    assert words.sentence(entry) == "It did not act: ssh.service is protected, and the rule may not act on that."
    opened(rule(operator, name="May", remedy_target="sshd.service", remedy_protected=True), web1)
    assert acted().target == "ssh.service"


def test_starting_a_protected_service_cuts_nobody_off(web1: Server, operator: User) -> None:
    ProtectedUnit.objects.get_or_create(pattern="ssh.service")
    service(web1, "ssh.service")
    opened(rule(operator, remedy_cmd="start"), web1, "ssh.service")
    assert acted().cmd == "start"


def test_not_in_maintenance(web1: Server, restarts: Rule) -> None:
    now = timezone.now()
    Silence.objects.create(
        reason="disks", starts_at=now, ends_at=now + timedelta(hours=1), made_by_name="oleg", made_at=now
    )
    entry = unasked(opened(restarts, web1), outcomes.SILENCED)
    assert words.sentence(entry) == "It did not act: silenced, as in maintenance."


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"snoozed_until": timezone.now() + timedelta(days=1)}, outcomes.SNOOZED),
        ({"state": states.ACKNOWLEDGED, "acknowledged_by_name": "Ana <b>"}, outcomes.TAKEN),
    ],
)
def test_not_what_a_person_has_in_hand(web1: Server, restarts: Rule, columns: dict[str, Any], why: str) -> None:
    incident = opened(restarts, web1)
    Incident.objects.filter(pk=incident.pk).update(**columns)
    assert words.sentence(unasked(incident, why)).startswith("It did not act: ")


def test_not_on_a_silent_server(web1: Server, restarts: Rule) -> None:
    Server.objects.filter(pk=web1.pk).update(state="silent")
    unasked(opened(restarts, web1), outcomes.SILENT)


def test_not_what_its_owner_does_not_allow(web1: Server, restarts: Rule, nginx: Service) -> None:
    nginx.verbs = []
    nginx.save()
    entry = unasked(opened(restarts, web1), outcomes.REFUSED)
    assert "The agent of this server does not offer to restart nginx.service." in words.sentence(entry)


def test_what_the_server_has_not_is_said_in_a_sentence(web1: Server, operator: User) -> None:
    service(web1)
    entry = unasked(opened(rule(operator, remedy_target="ngnix.service"), web1), outcomes.REFUSED)
    said = "It did not act: the hub refused. ngnix.service is no service that this server has reported."
    assert words.sentence(entry) == said


def test_not_on_many_servers_at_once(operator: User, web_group: ServerGroup) -> None:
    """Four that open one after the other are acted on; with the fifth they are one of many, and no more are."""
    made = rule(operator)
    servers = [enrolled(f"web-{number}", web_group)[0] for number in range(6)]
    for one in servers:
        service(one)
    for one in servers[:4]:
        opened(made, one)
        acted()
    fifth = opened(made, servers[4])
    opened(made, servers[5])
    acting.act()
    assert Command.objects.count() == 4
    assert lines(fifth) == ["opened"]
    whole = Incident.objects.get(server=None)
    assert "many servers at once" in words.sentence(line(whole, states.NOT_ACTED))
    for command in Command.objects.all():
        fails(command)
    make_due()
    acting.act()
    assert Command.objects.count() == 4
    assert AuditEntry.objects.filter(event="remedy.held", facts__why=outcomes.GROUPED).count() == 4


def test_what_flaps_and_is_well_just_now_is_left_alone(web1: Server, restarts: Rule) -> None:
    incident = opened(restarts, web1)
    Incident.objects.filter(pk=incident.pk).update(flapping=True, calm_since=timezone.now())
    acting.act()
    assert Command.objects.count() == 0
    Incident.objects.filter(pk=incident.pk).update(calm_since=None)
    make_due()
    assert acted().target == NGINX


def test_when_maintenance_is_over_it_acts_on_what_is_still_there(web1: Server, restarts: Rule) -> None:
    now = timezone.now()
    silence = Silence.objects.create(
        reason="disks", starts_at=now, ends_at=now + timedelta(hours=1), made_by_name="oleg", made_at=now
    )
    incident = opened(restarts, web1)
    acting.act()
    assert lines(incident) == ["opened", "silenced", "not acted"]
    Silence.objects.filter(pk=silence.pk).update(ended_at=timezone.now())
    assert covering.keep() == 1
    assert acted().target == NGINX
    assert lines(incident) == ["opened", "silenced", "not acted", "unsilenced", "acted"]


def test_what_is_about_no_service_says_so_at_once(web1: Server, operator: User) -> None:
    about_cpu = rule(operator, kind=kinds.READING)
    incident = opened(about_cpu, web1, "", metric="cpu", limit=90)
    assert line(incident, states.NOT_ACTED).facts["why"] == outcomes.NO_SERVICE
    assert Remedy.objects.count() == 0


@pytest.mark.parametrize("change", [{"enabled": False}, {"deleted_at": timezone.now()}, {"remedy_cmd": ""}])
def test_a_rule_that_was_changed_meanwhile_does_not_act(web1: Server, restarts: Rule, change: dict[str, Any]) -> None:
    incident = opened(restarts, web1)
    Rule.objects.filter(pk=restarts.pk).update(**change)
    acting.act()
    assert (Command.objects.count(), lines(incident)) == (0, ["opened"])


def test_a_closed_incident_is_not_acted_on(web1: Server, restarts: Rule) -> None:
    closed(opened(restarts, web1))
    acting.act()
    assert Command.objects.count() == Remedy.objects.count() == 0


def test_a_rule_without_a_remedy_notes_nothing(web1: Server) -> None:
    assert lines(opened(rule(), web1)) == ["opened"]
    assert Remedy.objects.count() == 0
