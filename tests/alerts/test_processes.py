"""Rules on processes, by tables that agents reported."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts.evaluate import processes
from alerts.evaluate.found import BETWEEN, NO_DATA, OVER, UNDER, Seen
from alerts.models import Rule
from alerts.rules import kinds
from servers import states
from servers.models import Server, Service
from servers.wire import Proc
from tests.alerts.finding import NOW, SECOND, find, rule, stands, told
from tests.servers.samples import proc

pytestmark = pytest.mark.django_db
NGINX = [
    proc(10, name="nginx", user="root", cmdline="nginx: master", cpu=0.5, mem_mb=5.0, ppid=1),
    proc(11, name="nginx", user="www-data", cmdline="nginx: worker Ünïcode", cpu=70.0, mem_mb=80.0, ppid=10),
    proc(12, name="nginx", user="www-data", cmdline="nginx: worker", cpu=None, mem_mb=90.0, ppid=10),
    proc(13, name="cron", user="root", cmdline="/usr/sbin/cron -f", cpu=95.0, mem_mb=1.0, ppid=1),
]


def one(server: Server, rules: list[Rule], seconds: float = 0) -> Seen | None:
    """What a round finds of one subject, if anything."""
    found = find(processes.find, rules, [server], seconds)
    assert len(found) <= 1
    return found[0] if found else None


def counted(server: Server, by: str, pattern: str) -> float | None:
    """How many processes a rule means."""
    seen = one(server, [rule(kinds.TOO_MANY, -1, by=by, pattern=pattern)])
    return seen.value if seen else None


@pytest.mark.parametrize(
    ("by", "pattern", "many"),
    [
        ("name", "nginx", 3), ("name", "NGINX", 3), ("name", "ngin", 0), ("name", "ng*", 3), ("name", "?r[o]n", 1),
        ("name", "*", 4), ("cmdline", "worker", 2), ("cmdline", "WORKER Ü", 1), ("cmdline", "work*", 0),
        ("cmdline", "sbin/cron -f", 1), ("user", "www-data", 2), ("user", "www", 0), ("user", "www*", 2),
        ("service", "nginx.service", 3), ("service", "nginx", 3), ("service", "ngin", 0), ("service", "*", 3),
        ("service", "stopped.service", 0),
    ],
)  # fmt: skip
def test_processes_are_meant_by_one_of_four(web1: Server, by: str, pattern: str, many: int) -> None:
    told(web1, 0, NGINX, services=[])
    Service.objects.create(server=web1, name="nginx.service", active_state="active", main_pid=10)
    Service.objects.create(server=web1, name="stopped.service", active_state="inactive")
    assert counted(web1, by, pattern) == many


def test_missing_is_told_with_how_many_there_are(web1: Server) -> None:
    at = told(web1, 0, NGINX)
    missing = rule(kinds.MISSING, 4, by="name", pattern="nginx")
    facts = {"by": "name", "pattern": "nginx", "limit": 4.0}
    assert one(web1, [missing]) == Seen(missing.pk, web1.pk, "", at, OVER, 3, facts)


def test_who_is_well_is_told_only_while_something_stands(web1: Server) -> None:
    told(web1, 0, NGINX)
    enough = rule(kinds.MISSING, 3, clear=4, by="name", pattern="nginx")
    assert one(web1, [enough]) is None
    stands(enough, web1)
    seen = one(web1, [enough])
    assert seen
    assert (seen.level, seen.value) == (BETWEEN, 3)


@pytest.mark.parametrize(("limit", "clear", "level"), [(2, None, OVER), (3, None, UNDER), (3, 2, BETWEEN)])
def test_too_many_is_more_than_the_limit(web1: Server, limit: float, clear: float | None, level: str) -> None:
    told(web1, 0, NGINX)
    many = rule(kinds.TOO_MANY, limit, clear, by="name", pattern="nginx")
    stands(many, web1)
    seen = one(web1, [many])
    assert seen
    assert (seen.level, seen.value) == (level, 3)


@pytest.mark.parametrize(
    ("kind", "limit", "total", "level"),
    [
        (kinds.MISSING, 4, 4, OVER), (kinds.MISSING, 4, 5, NO_DATA), (kinds.MISSING, 5, 5, OVER),
        (kinds.MISSING, 3, 900, UNDER),
        (kinds.TOO_MANY, 3, 4, UNDER), (kinds.TOO_MANY, 3, 5, NO_DATA), (kinds.TOO_MANY, 2, 900, OVER),
        (kinds.TOO_MANY, 4, 5, UNDER),
    ],
)  # fmt: skip
def test_of_a_table_that_is_not_whole_only_the_certain_is_told(
    web1: Server, kind: str, limit: float, total: int, level: str
) -> None:
    told(web1, 0, NGINX, procsTotal=total)
    counts = rule(kind, limit, by="name", pattern="nginx")
    stands(counts, web1)
    seen = one(web1, [counts])
    assert seen
    assert seen.level == level


def test_what_is_not_certain_says_why(web1: Server) -> None:
    told(web1, 0, NGINX, procsTotal=630, services=[])
    Service.objects.create(server=web1, name="nginx.service", active_state="active", sub_state="running")
    counts, served = rule(kinds.MISSING, 4, by="name", pattern="x"), rule(kinds.MISSING, 1, by="service", pattern="*")
    stands(counts, web1)
    stands(served, web1)
    why = {seen.rule: seen.facts["noData"] for seen in find(processes.find, [counts, served], [web1], 0)}
    assert why == {
        counts.pk: {"why": "table cut", "listed": len(NGINX), "processes": 630},
        served.pk: {"why": "service untold"},
    }


def test_of_a_table_that_is_not_whole_nothing_is_missing(web1: Server) -> None:
    told(web1, 0, NGINX, procsTotal=900)
    assert one(web1, [rule(kinds.MISSING, 1, by="name", pattern="redis-server")]) is None


@pytest.mark.parametrize(("sub_state", "level"), [("running", NO_DATA), ("exited", OVER)])
def test_a_service_that_runs_without_a_main_process_is_not_missing(web1: Server, sub_state: str, level: str) -> None:
    told(web1, 0, NGINX, services=[])
    Service.objects.create(server=web1, name="a.service", active_state="active", sub_state=sub_state)
    missing = rule(kinds.MISSING, 1, by="service", pattern="a.service")
    stands(missing, web1)
    seen = one(web1, [missing])
    assert seen
    assert seen.level == level


def test_of_a_server_that_lists_no_services_nothing_is_known_of_them(web1: Server) -> None:
    told(web1, 0, NGINX)
    missing = rule(kinds.MISSING, 1, by="service", pattern="a.service")
    assert one(web1, [missing]) is None
    stands(missing, web1)
    seen = one(web1, [missing])
    assert seen
    assert seen.level == NO_DATA


@pytest.mark.parametrize(
    ("kind", "limit", "more", "value", "pid"),
    [
        (kinds.PROCESS_CPU, 60, {}, 70.0, 11),
        (kinds.PROCESS_CPU, 60, {"together": True}, 70.5, 11),
        (kinds.PROCESS_MEMORY, 85, {}, 90.0, 12),
        (kinds.PROCESS_MEMORY, 100, {"together": True}, 175.0, 12),
    ],
)
def test_the_worst_process_is_named(
    web1: Server, kind: str, limit: float, more: dict[str, Any], value: float, pid: int
) -> None:
    told(web1, 0, NGINX)
    seen = one(web1, [rule(kind, limit, by="name", pattern="nginx", **more)])
    facts = {"by": "name", "pattern": "nginx", "limit": float(limit), "process": "nginx", "pid": pid, "startTicks": 99}
    assert seen
    assert (seen.level, seen.value, seen.facts) == (OVER, value, facts | more)


@pytest.mark.parametrize(
    ("procs", "level", "value"),
    [
        ([proc(11, cpu=None)], NO_DATA, None),  # it began since the last sample
        ([proc(11, name="cron")], UNDER, 0.0),  # who used it is gone
        ([], UNDER, 0.0),
        ([proc(11, cpu=60.0)], UNDER, 60.0),
    ],
)
def test_how_an_incident_over_cpu_goes_on(web1: Server, procs: list[Proc], level: str, value: float | None) -> None:
    told(web1, 0, procs)
    busy = rule(kinds.PROCESS_CPU, 60, by="name", pattern="nginx")
    stands(busy, web1)
    seen = one(web1, [busy])
    assert seen
    assert (seen.level, seen.value) == (level, value)


def test_a_silent_server_tells_nothing(web1: Server) -> None:
    told(web1, 0, NGINX)
    Server.objects.filter(pk=web1.pk).update(state=states.SILENT)
    missing, busy = rule(kinds.MISSING, 9, by="name", pattern="x"), rule(kinds.PROCESS_CPU, 1, by="name", pattern="*")
    stands(missing, web1)
    assert one(web1, [missing, busy], 60) == Seen(missing.pk, web1.pk, "", NOW + 60 * SECOND, NO_DATA)


def test_a_sample_is_looked_at_once(web1: Server) -> None:
    told(web1, 0, NGINX)
    missing = rule(kinds.MISSING, 9, by="name", pattern="x")
    assert one(web1, [missing], 0)
    assert one(web1, [missing], 11) is None  # received before the stretch
    stands(missing, web1, 0)
    assert one(web1, [missing], 5) is None  # looked at already


def test_a_server_is_looked_at_only_for_rules_that_mean_it(web1: Server, web2: Server, db1: Server) -> None:
    for server in (web1, web2, db1):
        told(server, 0, NGINX)
    missing = rule(kinds.MISSING, 9, by="name", pattern="x")
    assert {seen.server for seen in find(processes.find, [missing], [web1, db1], 0)} == {web1.pk, db1.pk}


def test_rules_together_find_what_each_finds_alone(web1: Server, web2: Server) -> None:
    told(web1, 0, NGINX, services=[])
    told(web2, 0, [proc(10, name="cron"), proc(11, name='\\"\u0130', cmdline="ß\\")], services=[])
    Service.objects.create(server=web1, name="nginx.service", active_state="active", main_pid=10)
    rules = [
        rule(kind, limit, by=by, pattern=pattern)
        for kind, limit in ((kinds.TOO_MANY, 0), (kinds.MISSING, 3), (kinds.PROCESS_CPU, 0), (kinds.PROCESS_MEMORY, 1))
        for by, pattern in (("name", "ngin*"), ("name", "cron"), ("cmdline", "SS\\"), ("user", "www-data"),
                            ("service", "nginx"), ("name", "\\\"\u0130"), ("name", "*"))
    ]  # fmt: skip
    alone = [seen for each in rules for seen in find(processes.find, [each], [web1, web2], 0)]
    assert len(alone) > len(rules)
    assert sorted(find(processes.find, rules, [web1, web2], 0), key=str) == sorted(alone, key=str)


def test_more_rules_ask_the_database_nothing_more(web1: Server, web2: Server) -> None:
    told(web1, 0, NGINX, services=[])
    told(web2, 0, NGINX, services=[])
    asked = []
    for many in (1, 10):
        rules = [rule(kinds.MISSING, 9, by=by, pattern=f"x{n}") for n in range(many) for by in ("name", "service")]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(find(processes.find, rules, [web1, web2], 0)) == 4 * many
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_of_many_servers_those_come_first_that_waited_longest(
    web1: Server, web2: Server, db1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "AT_MOST", 2)
    missing, seen = rule(kinds.MISSING, 9, by="name", pattern="x"), []
    for number in range(3):
        for server in (web1, web2, db1):
            told(server, 10 * number, NGINX)
        seen.append({found.server for found in find(processes.find, [missing], [web1, web2, db1], 10 * number)})
    assert [len(servers) for servers in seen] == [2, 2, 2]
    assert seen[0] | seen[1] == seen[1] | seen[2] == {web1.pk, web2.pk, db1.pk}


def test_rules_of_each_kind_have_their_turns_when_they_are_looked_for_one_by_one(
    web1: Server, web2: Server, db1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "AT_MOST", 1)
    missing, many = rule(kinds.MISSING, 9, by="name", pattern="x"), rule(kinds.TOO_MANY, 0, by="name", pattern="*")
    seen: dict[int, set[int]] = {missing.pk: set(), many.pk: set()}
    for number in range(3):
        for server in (web1, web2, db1):
            told(server, 10 * number, NGINX)
        for each in (missing, many):
            seen[each.pk] |= {one.server for one in find(processes.find, [each], [web1, web2, db1], 10 * number)}
    assert seen[missing.pk] == seen[many.pk] == {web1.pk, web2.pk, db1.pk}
