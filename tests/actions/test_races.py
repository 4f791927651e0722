"""Two at once, on a real database: one wins, and nothing happens twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from actions import deadlines, lifecycle, states
from actions.ask import ask
from actions.models import AuditEntry, Command
from pmonitor.problems import Problem
from servers.models import Server
from tests.actions.making import NGINX, ago, command, result, service

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 8


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls at the same moment, each on its own database connection; a raised exception is its outcome."""
    barrier, outcomes = threading.Barrier(len(calls)), [None] * len(calls)

    def run(number: int, call: Callable[[], Any]) -> None:
        connection.ensure_connection()
        barrier.wait()
        try:
            outcomes[number] = call()
        except Exception as error:  # noqa: BLE001 - the outcome that is looked at
            outcomes[number] = error  # type: ignore[call-overload]
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return outcomes


def test_a_command_is_claimed_by_exactly_one_of_two(web1: Server) -> None:
    for number in range(ROUNDS):
        queued = command(web1, target=f"{number}.service")
        taken = together(*[lambda: lifecycle.claim(web1)] * 3)
        assert [claimed for claims in taken for claimed in claims] == [queued]
        assert AuditEntry.objects.filter(command=queued, to_state="delivered").count() == 1


def test_cancel_and_claim_do_not_both_win(web1: Server, operator: User) -> None:
    seen: Counter[str] = Counter()
    for number in range(ROUNDS):
        queued = command(web1, target=f"{number}.service")
        mine = Command.objects.get(pk=queued.pk)
        taken, cancelled = together(lambda: lifecycle.claim(web1), partial(lifecycle.cancel, operator, mine))
        queued.refresh_from_db()
        seen[queued.state] += 1
        assert (queued.state == states.DELIVERED) == bool(taken) == isinstance(cancelled, Problem)
        assert AuditEntry.objects.filter(command=queued).count() == 1
    assert sum(seen.values()) == seen["delivered"] + seen["cancelled"] == ROUNDS


def test_expiry_and_acknowledgement_do_not_both_win(web1: Server) -> None:
    for number in range(ROUNDS):
        late = command(web1, states.DELIVERED, target=f"{number}.service", lease_until=ago(1), deliver_by=ago(0.5))
        state, _count = together(partial(lifecycle.acknowledge, web1, late.uuid), deadlines.expire_undelivered)
        late.refresh_from_db()
        assert state == late.state == states.EXPIRED
        assert AuditEntry.objects.filter(command=late).count() == 1


def test_two_results_end_a_command_once(web1: Server) -> None:
    for number in range(ROUNDS):
        running = command(web1, states.RUNNING, target=f"{number}.service")
        answers = together(*[partial(lifecycle.finish, web1, running.uuid, result())] * 2)
        assert answers == [states.SUCCEEDED] * 2
        assert AuditEntry.objects.filter(command=running).count() == 1


def test_two_workers_requeue_once(web1: Server) -> None:
    lapsed = [command(web1, states.DELIVERED, target=f"{n}.service", lease_until=ago(1)) for n in range(20)]
    moved = together(deadlines.requeue_unacknowledged, deadlines.requeue_unacknowledged)
    assert sum(moved) == len(lapsed) == AuditEntry.objects.filter(to_state="queued").count()


def test_two_operators_who_ask_for_the_same_cause_one_command(web1: Server, operator: User, admin: User) -> None:
    for number in range(ROUNDS):
        target = service(web1, f"{number}.service").name
        first, second = together(
            partial(ask, operator, web1, "restart", target),
            partial(ask, admin, web1, "restart", target),
        )
        assert {first.joined, second.joined} == {True, False}
        assert first.command == second.command
        events = AuditEntry.objects.filter(command=first.command).values_list("event", flat=True)
        assert sorted(events) == ["command.joined", "command.queued"]


def test_of_two_who_ask_for_different_things_one_is_refused(web1: Server, operator: User, admin: User) -> None:
    service(web1)
    outcomes = together(lambda: ask(operator, web1, "restart", NGINX), lambda: ask(admin, web1, "stop", NGINX))
    (refused,) = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
    assert refused.status_code == 409
    assert Command.objects.count() == 1
    assert AuditEntry.objects.filter(event="command.denied").count() == 1
