"""Two workers, and a worker that was started anew, on a real database: each incident opens once, none is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from functools import partial

import pytest
from django.db import connection, transaction

from alerts import moves, states, timeline
from alerts.evaluate import rounds, rules_gone
from alerts.models import Incident, IncidentEntry, Rule, Standing
from servers.models import Server
from tests.actions.test_races import together
from tests.alerts.reporting import SECOND, a_rule, episodes, evaluate, recently, report, servers_named, told

pytestmark = pytest.mark.django_db(transaction=True)
STEP = 10 * SECOND
ROUND = "import django; django.setup(); from alerts.evaluate import rounds; rounds.evaluate()"


def test_two_workers_open_each_incident_once() -> None:
    servers, start = servers_named([f"s{number}" for number in range(20)]), recently()
    a_rule()
    for place in range(4):
        at, cpu = start + place * STEP, 95.0 if place % 2 == 0 else 20.0
        report(dict.fromkeys(servers, cpu), at)
        assert together(*[partial(evaluate, at)] * 3) == [None] * 3
        evaluate(at + SECOND)  # whoever came second in the round left at once
    assert Incident.objects.filter(server__isnull=False).count() == 40
    assert IncidentEntry.objects.filter(kind=states.OPENED, incident__server__isnull=False).count() == 40
    assert not Incident.objects.live().exists()


def test_without_the_lock_of_rounds_those_of_the_rules_keep_two_workers_apart(
    web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "_mine", lambda: True)
    a_rule()
    start = recently()
    report({web1: 95}, start)
    together(*[partial(evaluate, start)] * 3)
    assert episodes(start) == [("srv-web-01", 0, 0, None)]
    assert IncidentEntry.objects.count() == 1


def test_without_any_lock_the_index_alone_lets_one_of_two_open(web1: Server) -> None:
    rule, start = a_rule(), recently()

    def opened() -> int:
        with transaction.atomic():
            return len(moves.open_([moves.Opening(rule, web1.pk, "", start, start, 95, {})]))

    assert sorted(together(opened, opened, opened)) == [0, 0, 1]
    assert episodes(start) == [("srv-web-01", 0, 0, None)]
    assert IncidentEntry.objects.count() == 1


def test_a_rule_that_is_disabled_while_it_is_evaluated_leaves_no_incident(
    web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule, start = a_rule(), recently()
    report({web1: 95}, start)
    opening, disabled = threading.Event(), threading.Event()

    def disable() -> None:
        opening.wait(30)
        with transaction.atomic():
            Rule.objects.filter(pk=rule.pk).update(enabled=False)  # waits for the round
            rules_gone.forget(rule, states.RULE_OFF)
        disabled.set()

    def listen(move: str, _incidents: object) -> None:
        if move == states.OPENED:
            opening.set()
            assert not disabled.wait(0.5)

    with monkeypatch.context() as patch:
        patch.setattr(timeline, "LISTENERS", [listen])
        outcomes = together(partial(evaluate, start), disable)
    assert outcomes == [None, None]
    assert [one.close_reason for one in Incident.objects.all()] == [states.RULE_OFF]
    assert not Standing.objects.exists()


def test_a_worker_started_anew_goes_on_with_what_is_open(web1: Server) -> None:
    a_rule(for_sec=10)
    start = recently(SECOND * 60)
    told(web1, [95, 95, 95], start)
    report({web1: 20}, start + 3 * STEP)
    about = connection.settings_dict
    address = f"postgres://{about['USER']}:{about['PASSWORD']}@{about['HOST']}:{about['PORT']}/{about['NAME']}"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", ROUND], check=True, env=os.environ | {"DATABASE_URL": address})
    assert episodes(start) == [("srv-web-01", 0, 10, 30)]
    assert list(IncidentEntry.objects.values_list("kind", flat=True)) == [states.OPENED, states.ENDED]
