"""Rules on services that keep restarting or flapping, by lists that agents sent one after the other."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.evaluate import processes, service_times
from alerts.evaluate.found import BETWEEN, NO_DATA, OVER, UNDER, Finder, Seen
from alerts.models import Rule
from alerts.rules import kinds
from servers import states
from servers.models import Server
from tests.alerts.finding import NOW, SECOND, find, rule, stands, told
from tests.servers.reports import service

pytestmark = pytest.mark.django_db
WEB, DB = "nginx.service", "redis.service"


def runs(pid: int, seconds: float, name: str = WEB, **facts: Any) -> dict[str, Any]:
    """A service that runs, with this main process, since so many seconds after NOW."""
    return service(name, mainPid=pid, startTicks=pid, since=(NOW + seconds * SECOND).isoformat(), **facts)


def restart(server: Server, *seconds: float, name: str = WEB) -> None:
    """Lists in which the service has another main process each time."""
    for number in seconds:
        told(server, number, services=[runs(1000 + int(number), number, name)])


def look(server: Server, one: Rule, seconds: float, finder: Finder = service_times.find) -> list[Seen]:
    return find(finder, [one], [server], seconds)


def test_so_many_restarts_within_the_window_are_over(web1: Server) -> None:
    one = rule(kinds.RESTARTED, 3, withinSec=600)
    restart(web1, -30, -20, -10)
    assert look(web1, one, -10) == []
    restart(web1, 0)
    facts = {"limit": 3.0, "withinSec": 600}
    assert look(web1, one, 0) == [Seen(one.pk, web1.pk, WEB, NOW, OVER, 3, facts)]


def test_stops_and_starts_flap_and_are_no_restarts(web1: Server) -> None:
    flapping, restarted = rule(kinds.FLAPPING, 4, withinSec=600), rule(kinds.RESTARTED, 1, withinSec=600)
    for seconds in (-40, -20, 0):
        told(web1, seconds, services=[runs(1000 + seconds, seconds)])
        since = (NOW + (seconds + 10) * SECOND).isoformat()
        told(web1, seconds + 10, services=[service(WEB, activeState="inactive", mainPid=None, since=since)])
    (seen,) = find(service_times.find, [flapping, restarted], [web1], 10)
    assert (seen.rule, seen.value) == (flapping.pk, 5)  # the first list tells no start


def test_what_stands_is_told_until_the_window_is_past(web1: Server) -> None:
    one = rule(kinds.RESTARTED, 2, clear=1, withinSec=60)
    restart(web1, -30, -20, 0)
    stands(one, web1, 0, WEB)
    levels = []
    for seconds in (10, 45, 70):
        told(web1, seconds)  # services unchanged
        (seen,) = look(web1, one, seconds)
        levels.append((seen.level, seen.value))
    assert levels == [(OVER, 2), (BETWEEN, 1), (UNDER, 0)]


def test_each_rule_has_its_own_window_pattern_and_servers(web1: Server, db1: Server) -> None:
    for server in (web1, db1):
        told(server, -300, services=[runs(1, -300), runs(2, -300, DB)])
        told(server, -200, services=[runs(3, -200), runs(2, -300, DB)])
        told(server, 0, services=[runs(4, 0), runs(5, 0, DB)])
    short, long = rule(kinds.RESTARTED, 1, withinSec=60), rule(kinds.RESTARTED, 1, service="nginx", withinSec=600)
    found = find(service_times.find, [short, long], [web1], 0)
    assert {(seen.rule, seen.server, seen.subject, seen.value) for seen in found} == {
        (short.pk, web1.pk, WEB, 1), (short.pk, web1.pk, DB, 1), (long.pk, web1.pk, WEB, 2),
    }  # fmt: skip


def test_a_loop_of_which_not_each_round_is_an_event_is_counted(web1: Server) -> None:
    one = rule(kinds.RESTARTED, 12, withinSec=600)
    told(web1, -500, services=[runs(1, -500)])
    for number in range(1, 12):
        since = -500 + 40 * number
        told(web1, since, services=[runs(100 + number, since, nRestarts=number, lastExit="1")])
    assert look(web1, one, -60) == []
    told(web1, -20, services=[runs(200, -20, nRestarts=12, lastExit="1")])
    (seen,) = look(web1, one, -20)
    assert seen.value == 12


def test_a_silent_server_tells_nothing(web1: Server) -> None:
    restart(web1, -10, 0)
    Server.objects.filter(pk=web1.pk).update(state=states.SILENT)
    one = rule(kinds.RESTARTED, 1, withinSec=600)
    assert look(web1, one, 0) == []
    stands(one, web1, -5, WEB)
    assert look(web1, one, 60) == [Seen(one.pk, web1.pk, WEB, NOW + 60 * SECOND, NO_DATA)]


class TestProcessesOfServices:
    """process_restarting by service: all services that are meant together."""

    def test_their_restarts_are_summed(self, web1: Server) -> None:
        told(web1, -10, services=[runs(1, -10), runs(2, -10, DB)])
        told(web1, 0, services=[runs(3, 0), runs(4, 0, DB)])
        one = rule(kinds.RESTARTING, 2, by="service", pattern="*", withinSec=600)
        facts = {"by": "service", "pattern": "*", "limit": 2.0, "withinSec": 600}
        assert look(web1, one, 0, processes.find) == [Seen(one.pk, web1.pk, "", NOW, OVER, 2, facts)]
        only = rule(kinds.RESTARTING, 2, by="service", pattern="nginx", withinSec=600)
        assert look(web1, only, 0, processes.find) == []

    def test_what_stands_is_told_until_the_window_is_past(self, web1: Server) -> None:
        restart(web1, -10, 0)
        one = rule(kinds.RESTARTING, 1, by="service", pattern="nginx", withinSec=60)
        stands(one, web1, 0)
        levels = []
        for seconds in (10, 70):
            told(web1, seconds)
            (seen,) = look(web1, one, seconds, processes.find)
            levels.append((seen.level, seen.value))
        assert levels == [(OVER, 1), (UNDER, 0)]
