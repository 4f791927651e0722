"""How often a process was replaced, from sample to sample."""

from __future__ import annotations

import pytest

from alerts.evaluate import processes
from alerts.evaluate.found import OVER
from alerts.models import Rule, Succession
from alerts.rules import kinds
from servers.models import Server
from servers.wire import Proc
from tests.alerts.finding import find, rule, stands, told
from tests.servers.samples import proc

pytestmark = pytest.mark.django_db


def restarting(limit: float = 1, within: int = 600) -> Rule:
    return rule(kinds.RESTARTING, limit, by="name", pattern="nginx", withinSec=within)


def times(server: Server, one: Rule, *tables: list[Proc], start: float = 0, every: float = 10, boot: str = "a") -> int:
    """How often something was replaced when these tables came one after the other, each looked at."""
    value = 0
    for number, table in enumerate(tables):
        seconds = start + number * every
        told(server, seconds, [proc(1, name="init", start_ticks=1), *table], bootId=boot)
        found = find(processes.find, [one], [server], seconds)
        value = int(found[0].value or 0) if found else 0
    return value


def ng(*starts: int) -> list[Proc]:
    """Processes that began at these ticks; the pid is the same number."""
    return [proc(start, start_ticks=start) for start in starts]


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ([ng(10)], 0),
        ([ng(10), ng(10)], 0),
        ([ng(10), ng(20)], 1),
        ([ng(10), ng(20), ng(30), ng(30), ng(40)], 3),
        ([ng(10), [], ng(20)], 1),  # away for one sample
        ([ng(10), []], 0),  # and not back
        ([[], ng(10)], 0),  # the first start
        ([ng(10), ng(10, 20)], 0),  # one more
        ([ng(10, 20), ng(10)], 0),  # one less
        ([ng(10, 20), ng(30, 40)], 2),
        ([ng(10, 20), ng(10), ng(10, 30), ng(10, 30, 40)], 1),
        ([ng(10), ng(10, 20), ng(10)], 0),  # the newcomer went
        ([ng(10, 20), ng(20), ng(10, 20)], 0),  # it dropped out of the table and came back
        ([[proc(7, start_ticks=10)], [proc(7, start_ticks=20)]], 1),  # the same pid is another process
        ([[proc(7, start_ticks=None)], [proc(8, start_ticks=None)]], 1),
    ],
)
def test_replaced_is_who_went_and_another_came(web1: Server, tables: list[list[Proc]], expected: int) -> None:
    assert times(web1, restarting(), *tables) == expected


def test_only_what_the_window_holds_counts(web1: Server) -> None:
    one = restarting(within=60)
    assert times(web1, one, ng(10), ng(20), ng(30)) == 2
    assert times(web1, one, ng(30), start=75) == 1
    assert times(web1, one, ng(30), start=85) == 0


def test_it_is_over_when_the_limit_is_reached_and_the_facts_say_within(web1: Server) -> None:
    one = restarting(2)
    assert times(web1, one, ng(10), ng(20)) == 0
    told(web1, 20, ng(30))
    (seen,) = find(processes.find, [one], [web1], 20)
    assert (seen.level, seen.value) == (OVER, 2)
    assert seen.facts == {"by": "name", "pattern": "nginx", "limit": 2.0, "withinSec": 600}


def test_a_boot_replaces_nothing_and_forgets_nothing(web1: Server) -> None:
    one = restarting()
    assert times(web1, one, ng(10), ng(20)) == 1
    assert times(web1, one, ng(5), start=20, boot="b") == 1
    assert times(web1, one, ng(6), start=30, boot="b") == 2


def test_a_changed_rule_begins_anew(web1: Server) -> None:
    one = restarting()
    assert times(web1, one, ng(10), ng(20)) == 1
    Rule.objects.filter(pk=one.pk).update(version=2)
    one.refresh_from_db()
    assert times(web1, one, ng(30), start=20) == 0
    assert times(web1, one, ng(40), start=30) == 1


def test_each_rule_and_server_has_its_own(web1: Server, web2: Server) -> None:
    one, other = restarting(), rule(kinds.RESTARTING, 1, by="name", pattern="init", withinSec=600)
    assert times(web1, one, ng(10), ng(20)) == 1
    assert times(web2, one, ng(10)) == 0
    assert times(web1, other, ng(30), start=20) == 0


def test_nothing_is_written_while_nothing_changes(web1: Server) -> None:
    one = restarting()
    times(web1, one, ng(10), ng(20))
    before = Succession.objects.values().get()
    times(web1, one, ng(20), ng(20), start=20)
    assert Succession.objects.values().get() == before
    told(web1, 40, ng(30))
    find(processes.find, [one], [web1], 40)  # and looked at twice
    find(processes.find, [one], [web1], 40)
    assert len(Succession.objects.get().replaced) == 2


def test_a_standing_one_is_told_until_it_is_over(web1: Server) -> None:
    one = restarting(within=60)
    stands(one, web1)
    told(web1, 0, ng(10))
    (seen,) = find(processes.find, [one], [web1], 0)
    assert (seen.level, seen.value) == ("under", 0)
