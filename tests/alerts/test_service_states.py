"""Rules on services that failed or do not run, by lists that agents sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from actions.models import Command, Lease
from actions.states import HELD
from alerts.evaluate import service_states
from alerts.evaluate.found import NO_DATA, OVER, UNDER, Seen
from alerts.models import Rule
from alerts.rules import kinds
from servers import states
from servers.models import Newest, Server
from tests.alerts.finding import NOW, SECOND, find, rule, stands, told
from tests.servers.reports import service

pytestmark = pytest.mark.django_db
WEB, DB = "nginx.service", "postgresql@16-main.service"
FAILED = {"activeState": "failed", "subState": "failed", "mainPid": None, "result": "exit-code", "lastExit": "7"}
INACTIVE = {"activeState": "inactive", "subState": "dead", "mainPid": None}


def look(server: Server, *rules: Rule, seconds: float = 0) -> list[Seen]:
    return sorted(find(service_states.find, rules, [server], seconds), key=lambda seen: (seen.rule, seen.subject))


def subjects(server: Server, *rules: Rule) -> list[str]:
    return [seen.subject for seen in look(server, *rules) if seen.level == OVER]


def test_a_failed_service_is_told_with_its_exit(web1: Server) -> None:
    at = told(web1, 0, services=[service(WEB, **FAILED), service(DB)])
    failed = rule(kinds.FAILED)
    assert look(web1, failed) == [Seen(failed.pk, web1.pk, WEB, at, OVER, None, {"result": "exit-code", "exit": "7"})]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", [WEB, DB]),
        ("nginx.service", [WEB]),
        ("nginx", [WEB]),
        ("NGINX*", [WEB]),
        ("postgres*", [DB]),
        ("ngin", []),
    ],
)
def test_services_are_meant_by_a_pattern(web1: Server, pattern: str, expected: list[str]) -> None:
    told(web1, 0, services=[service(WEB, **FAILED), service(DB, **FAILED)])
    assert subjects(web1, rule(kinds.FAILED, service=pattern)) == expected


@pytest.mark.parametrize(
    ("facts", "of_all", "named"),
    [
        ({}, True, True),
        ({"unitFileState": None}, True, True),
        ({"unitFileState": "disabled"}, False, True),
        ({"unitFileState": "static"}, False, True),
        ({"type": "oneshot"}, False, False),
        ({"triggeredBy": ["nginx.socket"]}, False, False),
        ({"loadState": "masked"}, False, False),
        ({"activeState": "failed"}, False, False),
        ({"activeState": "active"}, False, False),
        ({"activeState": "activating"}, False, False),
    ],
)
def test_inactive_is_what_should_run_and_does_not(
    web1: Server, facts: dict[str, Any], of_all: bool, named: bool
) -> None:
    told(web1, 0, services=[service(WEB, **INACTIVE | facts)])
    assert bool(subjects(web1, rule(kinds.INACTIVE))) == of_all
    assert bool(subjects(web1, rule(kinds.INACTIVE, service=WEB))) == named


def test_one_that_is_stopped_for_a_time_is_not_inactive(web1: Server) -> None:
    told(web1, 0, services=[service(WEB, **INACTIVE)])
    inactive = rule(kinds.INACTIVE)
    assert subjects(web1, inactive) == [WEB]
    times = {"created_at": NOW, "deliver_by": NOW, "execute_by": NOW}
    stop = Command.objects.create(server=web1, cmd="stop", target=WEB, state="succeeded", **times)
    lease = Lease.objects.create(command=stop, server=web1, target=WEB, state=HELD, until=NOW + timedelta(hours=1))
    assert subjects(web1, inactive) == []
    Lease.objects.filter(pk=lease.pk).update(state="kept")
    assert subjects(web1, inactive) == [WEB]


@pytest.mark.parametrize(
    ("facts", "kind", "level"),
    [
        (FAILED, kinds.FAILED, OVER),
        ({}, kinds.FAILED, UNDER),
        (INACTIVE, kinds.FAILED, UNDER),
        (INACTIVE, kinds.INACTIVE, OVER),
        (FAILED, kinds.INACTIVE, OVER),  # that is no recovery
        ({}, kinds.INACTIVE, UNDER),
    ],
)
def test_how_what_stands_goes_on_with_each_report(web1: Server, facts: dict[str, Any], kind: str, level: str) -> None:
    told(web1, 0, services=[service(WEB, **facts)])
    at = told(web1, 200)  # services unchanged
    one = rule(kind)
    assert look(web1, one, seconds=200) == []  # listed before this stretch, and nothing stands
    stands(one, web1, 190, WEB)
    (seen,) = look(web1, one, seconds=200)
    assert (seen.level, seen.at) == (level, at)
    assert find(service_states.find, [one], [web1], 215) == []  # no new sample


def test_a_service_that_is_gone_closes(web1: Server) -> None:
    told(web1, 0, services=[service(WEB, **FAILED)])
    failed = rule(kinds.FAILED)
    stands(failed, web1, 0, WEB)
    at = told(web1, 10, services=[service(DB)])
    assert look(web1, failed, seconds=10) == [Seen(failed.pk, web1.pk, WEB, at, UNDER, None, {"gone": True})]


def test_a_silent_server_tells_nothing(web1: Server) -> None:
    told(web1, 0, services=[service(WEB, **FAILED)])
    Server.objects.filter(pk=web1.pk).update(state=states.SILENT)
    failed = rule(kinds.FAILED)
    assert look(web1, failed) == []
    stands(failed, web1, -5, WEB)
    assert look(web1, failed, seconds=60) == [Seen(failed.pk, web1.pk, WEB, NOW + 60 * SECOND, NO_DATA)]


def test_a_list_that_is_not_renewed_tells_nothing(web1: Server) -> None:
    told(web1, 0, services=[service(WEB, **FAILED)])
    told(web1, 901)
    failed = rule(kinds.FAILED)
    stands(failed, web1, 890, WEB)
    (seen,) = look(web1, failed, seconds=901)
    assert seen.level == NO_DATA


def test_without_a_list_nothing_is_found(web1: Server) -> None:
    told(web1, 0)
    failed = rule(kinds.FAILED)
    stands(failed, web1, -5, WEB)
    assert Newest.objects.get().services_at is None
    assert look(web1, failed) == []


def test_rules_find_what_their_servers_have(web1: Server, db1: Server) -> None:
    for server in (web1, db1):
        told(server, 0, services=[service(WEB, **FAILED), service(DB, **INACTIVE)])
    failed, inactive = rule(kinds.FAILED), rule(kinds.INACTIVE)
    found = find(service_states.find, [failed, inactive], [db1], 0)
    assert {(seen.rule, seen.server, seen.subject) for seen in found} == {
        (failed.pk, db1.pk, WEB),
        (inactive.pk, db1.pk, DB),
    }
