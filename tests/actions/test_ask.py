"""What is checked before a command is queued, and what the trail says of a denial."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from actions import states, targets
from actions.ask import ask
from actions.models import AuditEntry, Command, ProtectedUnit
from pmonitor.problems import Problem
from servers.models import Newest, Server, Service
from tests.actions.making import NGINX, command, service

pytestmark = pytest.mark.django_db


def refused(*args: Any, **given: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        ask(*args, **given)
    return caught.value


def test_it_queues_what_was_asked_with_what_the_hub_knew(web1: Server, operator: User) -> None:
    service(web1)
    expect = {"mainPid": 123, "startTicks": 4711}
    asked = ask(operator, web1, "restart", NGINX, reason="why", deliver_within=600, execute_within=30, expect=expect)
    one = Command.objects.get()
    assert (asked.command, asked.joined) == (one, False)
    assert (one.state, one.expect, one.reason, one.execute_within_sec) == (states.QUEUED, expect, "why", 30)
    assert (one.deliver_by - one.created_at).total_seconds() == 600
    assert one.evidence["listed"]["mainPid"] == 123
    assert (one.asked_by, one.asked_by_name) == (operator, "oleg")


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("cmd", {"cmd": "kill"}),
        ("cmd", {"cmd": ""}),
        ("reason", {"reason": "x" * 201}),
        ("reason", {"reason": "a\0b"}),
        ("deliverWithinSec", {"deliver_within": 9}),
        ("deliverWithinSec", {"deliver_within": 30 * 86_400 + 1}),
        ("deliverWithinSec", {"deliver_within": -1}),
        ("executeWithinSec", {"execute_within": 4}),
        ("executeWithinSec", {"execute_within": 3_601}),
        ("target", {"target": "unheard-of.service"}),
        ("target", {"target": "nginx"}),
        ("target", {"target": "ng\0inx"}),
    ],
)
def test_wrong_values_are_named(web1: Server, operator: User, field: str, given: dict[str, Any]) -> None:
    service(web1)
    problem = refused(operator, web1, **{"cmd": "restart", "target": NGINX, **given})
    assert (problem.status_code, list(problem.fields)) == (400, [field])
    assert not Command.objects.exists()


def test_all_wrong_values_are_named_at_once(web1: Server, operator: User) -> None:
    problem = refused(operator, web1, "fly", NGINX, reason="x" * 999, deliver_within=0, execute_within=0)
    assert set(problem.fields) == {"cmd", "reason", "deliverWithinSec", "executeWithinSec"}


@pytest.mark.parametrize(("deliver", "execute"), [(10, 5), (30 * 86_400, 3_600)])
def test_the_bounds_themselves_are_allowed(web1: Server, operator: User, deliver: int, execute: int) -> None:
    service(web1)
    ask(operator, web1, "stop", NGINX, reason="x" * 200, deliver_within=deliver, execute_within=execute)
    assert Command.objects.count() == 1


def test_what_the_agent_does_not_offer_is_denied_and_on_record(web1: Server, operator: User) -> None:
    service(web1, verbs=["start", "restart"])
    problem = refused(operator, web1, "stop", NGINX, reason="why", address="198.51.100.23")
    assert problem.status_code == 409
    entry = AuditEntry.objects.get()
    assert (entry.event, entry.actor, entry.cmd, entry.target) == ("command.denied", "oleg", "stop", NGINX)
    assert (entry.server, entry.address, entry.reason) == (web1, "198.51.100.23", "why")
    assert entry.facts == {"why": problem.sentence}


def test_what_the_owner_does_not_allow_is_told_from_what_cannot_be_done(web1: Server, operator: User) -> None:
    service(web1, verbs=["start"], can=["start", "stop"])
    assert refused(operator, web1, "stop", NGINX).sentence == "srv-web-01's owner does not allow stop of nginx.service."
    assert "does not offer to reload" in refused(operator, web1, "reload", NGINX).sentence


def test_an_unknown_service_is_denied_and_on_record(web1: Server, operator: User) -> None:
    refused(operator, web1, "stop", "unheard-of.service")
    assert AuditEntry.objects.get().event == "command.denied"


def test_an_agent_that_lists_no_services_judges_the_target_itself(web1: Server, operator: User) -> None:
    now = timezone.now()
    Newest.objects.create(server=web1, received_at=now, sampled_at=now)
    assert ask(operator, web1, "restart", "sleepy").command.state == states.QUEUED
    assert refused(operator, web1, "restart", "slee\npy").status_code == 400


def test_a_service_of_another_server_is_unknown(web1: Server, web2: Server, operator: User) -> None:
    service(web2)
    assert refused(operator, web1, "stop", NGINX).status_code == 400


@pytest.mark.parametrize("state", states.ACTIVE)
def test_the_same_verb_joins_the_one_that_is_under_way(web1: Server, operator: User, state: str) -> None:
    service(web1)
    first = command(web1, state)
    asked = ask(operator, web1, "restart", NGINX, reason="me too")
    assert (asked.command, asked.joined) == (first, True)
    entry = AuditEntry.objects.get()
    assert (entry.event, entry.command, entry.actor, entry.reason) == ("command.joined", first, "oleg", "me too")


@pytest.mark.parametrize("state", states.ACTIVE)
def test_another_verb_is_refused_naming_who_and_since_when(web1: Server, admin: User, state: str) -> None:
    service(web1)
    first = command(web1, state)
    problem = refused(admin, web1, "stop", NGINX)
    assert problem.status_code == 409
    assert "oleg" in problem.sentence
    assert f"{first.created_at:%H:%M:%S}" in problem.sentence
    assert AuditEntry.objects.get().event == "command.denied"


@pytest.mark.parametrize("state", [*states.ENDED, states.UNKNOWN])
def test_after_the_end_there_may_be_another_one(web1: Server, operator: User, state: str) -> None:
    service(web1)
    command(web1, state)
    assert not ask(operator, web1, "restart", NGINX).joined


def test_another_service_is_free(web1: Server, operator: User) -> None:
    service(web1)
    service(web1, "redis.service")
    command(web1)
    assert not ask(operator, web1, "stop", "redis.service").joined


def test_asking_costs_two_statements(
    web1: Server, operator: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    service(web1)
    with django_assert_num_queries(2):  # the service with what guards it, and the command with its entry
        ask(operator, web1, "restart", NGINX)


def test_of_an_alias_and_a_name_the_name_is_meant(web1: Server) -> None:
    service(web1, "a.service", aliases=["z.service", "b.service"])
    service(web1, "z.service")
    assert targets.find(web1, "z.service").service == Service.objects.get(name="z.service")
    assert targets.find(web1, "b.service").service == Service.objects.get(name="a.service")
    assert targets.find(web1, "c.service").service is None


def test_a_target_is_found_with_all_of_its_columns(web1: Server) -> None:
    one = service(web1, aliases=["www.service"], since=timezone.now(), can=["start"], triggered_by=["nginx.socket"])
    ProtectedUnit.objects.get_or_create(pattern="postgresql*", defaults={"kind": "database"})
    found = targets.find(web1, NGINX)
    one.refresh_from_db()
    for field in Service._meta.concrete_fields:
        assert getattr(found.service, field.attname) == getattr(one, field.attname), field.name
    assert found.protected == list(map(list, ProtectedUnit.objects.values_list("pattern", "kind"))) != []
