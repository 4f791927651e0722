"""Two workers at once, and workers that are killed in the middle, on a real database: nothing is asked twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection

from actions import lifecycle
from actions.models import AuditEntry, Command, Read
from actions.rollouts import advance, start, states, ways_on
from actions.rollouts.models import Rollout
from actions.rollouts.start import Confirmed
from pmonitor.problems import Problem
from servers.models import Newest, Server, ServerGroup
from tests.actions.making import result
from tests.actions.rollouts.making import (
    BUSY,
    DONE,
    TODO,
    WENT_WRONG,
    begun,
    deliver,
    fleet,
    obey,
    state,
    steps,
    wanted,
)
from tests.actions.rollouts.probing import ABLE, CHECKING, OK, URL, answer
from tests.actions.test_races import together

pytestmark = pytest.mark.django_db(transaction=True)
CHECKOUT = Path(__file__).parents[3]
KILLED = """
import os, signal, sys
import django; django.setup()
from actions.rollouts import advance, moves
note = moves.move_step
def killed(step, new, *args, **more):
    if new != sys.argv[2] or sys.argv[1] == "after the note":
        note(step, new, *args, **more)
    if new == sys.argv[2]:  # what led to it, such as asking for the command, is done and not committed
        os.kill(os.getpid(), signal.SIGKILL)
moves.move_step = killed
advance.advance()
"""


@pytest.fixture
def servers(web_group: ServerGroup) -> list[Server]:
    return fleet(web_group, 4)


def test_two_workers_ask_once_and_move_on_once(operator: User, servers: list[Server]) -> None:
    rollout = start.start(operator, wanted(batch="2"), Confirmed("because", 4))
    for first, second in ((0, 1), (2, 3)):
        together(*[advance.advance] * 3)
        assert Command.objects.count() == second + 1
        for server in (servers[first], servers[second]):
            lifecycle.finish(server, deliver(server).uuid, result())
    together(*[advance.advance] * 3)
    advance.advance()
    assert state(rollout) == states.FINISHED
    assert AuditEntry.objects.filter(event="rollout.finished").count() == 1


def test_two_workers_halt_once(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 4)
    lifecycle.finish(servers[0], deliver(servers[0]).uuid, result(**WENT_WRONG))
    together(*[advance.advance] * 3)
    assert state(rollout) == states.HALTED
    assert AuditEntry.objects.filter(event="rollout.halted").count() == 1


def test_a_persons_word_and_a_worker_do_not_both_win(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 4)
    lifecycle.finish(servers[0], deliver(servers[0]).uuid, result())
    together(partial(ways_on.tell, operator, rollout, states.END, "because"), advance.advance)
    assert state(rollout) == states.ENDED
    queued = Command.objects.filter(rollout=rollout, state="queued").count()
    assert queued == 0
    advance.advance()
    assert steps(rollout) == [DONE, TODO, TODO, TODO]


def test_two_starts_on_the_same_servers_cause_one(operator: User, admin: User, servers: list[Server]) -> None:
    one, two = together(*[partial(start.start, user, wanted(), Confirmed("because", 4)) for user in (operator, admin)])
    assert {type(one), type(two)} == {Rollout, Problem}
    assert Command.objects.count() == 1, "the first batch, asked for at the commit"


@pytest.mark.parametrize("when", ["before the note", "after the note"])
def test_a_worker_killed_between_asking_and_noting_asks_nothing_twice(
    operator: User, servers: list[Server], when: str
) -> None:
    rollout = start.start(operator, wanted(), Confirmed("because", 4))
    obey(servers[0])
    _kill_next_turn(servers[1], when, BUSY)
    advance.advance()
    assert steps(rollout)[:3] == [DONE, DONE, BUSY]
    assert sorted(Command.objects.values_list("server__agent_id", flat=True)) == ["web-1", "web-2", "web-3"]
    for server in servers[2:]:
        obey(server)
    assert state(rollout) == states.FINISHED
    assert Command.objects.count() == 4


@pytest.mark.parametrize("when", ["before the note", "after the note"])
def test_a_worker_killed_when_it_begins_to_check_asks_no_probe_twice(
    operator: User, servers: list[Server], when: str
) -> None:
    Newest.objects.update(facts=ABLE)
    rollout = begun(operator, 4, probe=URL)
    _kill_next_turn(servers[0], when, CHECKING)
    assert steps(rollout) == [BUSY, TODO, TODO, TODO]
    assert not Read.objects.exists()
    advance.advance()
    assert steps(rollout) == [CHECKING, TODO, TODO, TODO]
    answer(servers[0], OK)
    assert steps(rollout) == [DONE, BUSY, TODO, TODO]
    assert AuditEntry.objects.filter(event="read.probe").count() == 1


def _kill_next_turn(server: Server, when: str, move: str) -> None:
    """The server's command ends, and the worker that wants to go on is killed when a step makes this move."""
    Command.objects.filter(server=server).update(rollout=None)  # so that its end nudges nobody here
    lifecycle.finish(server, deliver(server).uuid, result())
    address = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}")
    environment = {**os.environ, "DATABASE_URL": urlunsplit(address), "LOG_FORMAT": "json"}
    done = subprocess.run([sys.executable, "-c", KILLED, when, move], cwd=CHECKOUT, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
