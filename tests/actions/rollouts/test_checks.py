"""A rollout's checks: after its command each server must answer its probe before the next one's turn."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User

from actions import lifecycle, reads, wire
from actions.models import AuditEntry, Command, Read
from actions.rollouts import advance, checks, states
from actions.rollouts.models import RolloutStep
from servers.models import Newest, Server, ServerGroup
from tests.actions.making import NGINX, ago, result
from tests.actions.rollouts.making import (
    BAD,
    BUSY,
    DONE,
    TODO,
    WENT_WRONG,
    begun,
    deliver,
    events,
    obey,
    said,
    state,
    step,
    steps,
    tell,
)  # fmt: skip
from tests.actions.rollouts.probing import ABLE, CHECKING, OK, UNWELL, URL, able_fleet, answer, later
from tests.actions.test_races import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def servers(web_group: ServerGroup) -> list[Server]:
    return able_fleet(web_group)


def test_the_next_batch_waits_until_the_probe_is_well(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3, probe=URL)
    obey(servers[0])
    assert steps(rollout) == [CHECKING, TODO, TODO]
    asked = Read.objects.get()
    assert (asked.kind, asked.target, asked.args, asked.server) == ("probe", NGINX, {"url": URL}, servers[0])
    assert (asked.asked_by, asked.asked_from) == (operator, "198.51.100.23")
    advance.advance()
    assert Read.objects.count() == 1, "not asked again while it may be answered"
    answer(servers[0], OK)
    assert steps(rollout) == [DONE, BUSY, TODO]
    assert step(rollout, 0).facts["said"] == "HTTP 200 in 3 ms"
    for server in servers[1:]:
        obey(server)
        answer(server, OK)
    assert state(rollout) == states.FINISHED
    started = AuditEntry.objects.get(event="rollout.started")
    assert started.facts["probe"] == URL


def test_the_answer_takes_it_on_at_once(
    operator: User, servers: list[Server], django_capture_on_commit_callbacks: Any
) -> None:
    rollout = begun(operator, 3, probe=URL)
    obey(servers[0])
    (read,) = reads.take(servers[0])
    with django_capture_on_commit_callbacks(execute=True):
        reads.answer(servers[0], read.uuid, wire.Answer(answer=OK))
    assert steps(rollout) == [DONE, BUSY, TODO]


def test_it_is_asked_again_every_few_seconds_and_may_recover(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3, probe=URL)
    obey(servers[0])
    answer(servers[0], UNWELL)
    assert steps(rollout)[0] == CHECKING
    assert Read.objects.count() == 1, "not at once"
    for _time in range(2):
        later(rollout, 4)
        answer(servers[0], {"ok": False, "said": "connection refused"})
    later(rollout, 4)
    answer(servers[0], OK)
    assert steps(rollout) == [DONE, BUSY, TODO]
    assert Read.objects.count() == 4
    assert AuditEntry.objects.filter(event="read.probe").count() == 1, "one look, one entry"


def test_what_stays_unwell_halts_it_and_the_rest_is_untouched(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3, probe=URL)
    obey(servers[0])
    answer(servers[0], UNWELL)
    later(rollout, 24)
    answer(servers[0], UNWELL)
    assert steps(rollout)[0] == CHECKING
    later(rollout, 6.5)
    assert steps(rollout) == [BAD, TODO, TODO]
    assert state(rollout) == states.HALTED
    assert said(rollout) == (
        "Halted in batch 1 of 3: nginx on web-1 restarted, but the probe says: HTTP 503. "
        "0 of 3 servers restarted. 1 failed. 2 were not touched and stay as before."
    )
    assert (step(rollout, 0).why, step(rollout, 0).facts["url"]) == ("probe", URL)
    assert events(rollout)[-1] == "rollout.halted"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ("web.service is not for you", "could not be probed: web.service is not for you."),
        (None, "could not be probed: The server did not answer within 10 s."),
        ("silent", "could not be probed: This server is silent, so it was not asked."),
    ],
)
def test_why_there_is_no_answer_is_said(operator: User, servers: list[Server], told: str | None, why: str) -> None:
    rollout = begun(operator, 3, probe=URL)
    obey(servers[0])
    if told == "silent":
        Server.objects.filter(pk=servers[0].pk).update(state="silent")
    elif told:
        answer(servers[0], told)
    later(rollout, 25)
    if told and told != "silent":
        answer(servers[0], told)
    later(rollout, 16)
    assert state(rollout) == states.HALTED
    assert step(rollout, 0).why == "not_probed"
    assert why in said(rollout)


def test_an_agent_that_cannot_probe_fails_before_anything_is_done(operator: User, servers: list[Server]) -> None:
    Newest.objects.filter(server=servers[0]).update(facts={"features": ["reads"]})
    rollout = begun(operator, 3, probe=URL)
    assert steps(rollout) == [BAD, TODO, TODO]
    assert not Command.objects.exists()
    assert state(rollout) == states.HALTED
    assert "the agent of web-1 is too old to probe, and nothing was done there" in said(rollout)
    Newest.objects.update(facts=ABLE)
    tell(operator, rollout, states.RETRY)
    assert steps(rollout) == [BUSY, TODO, TODO]


def test_a_failed_command_is_not_probed(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3, probe=URL)
    obey(servers[0], **WENT_WRONG)
    assert steps(rollout) == [BAD, TODO, TODO]
    assert not Read.objects.exists()


def test_a_retry_tries_command_and_probe_once_more(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3, probe=URL)
    obey(servers[0])
    answer(servers[0], UNWELL)
    later(rollout, 28)
    answer(servers[0], UNWELL)
    later(rollout, 4)
    assert steps(rollout)[0] == BAD
    tell(operator, rollout, states.RETRY)
    obey(servers[0])
    assert steps(rollout)[0] == CHECKING, "the answer to the first attempt counts for nothing"
    answer(servers[0], OK)
    assert steps(rollout) == [DONE, BUSY, TODO]


def test_an_outcome_that_was_unknown_is_probed_once_it_is_settled(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3, probe=URL)
    Command.objects.update(state="unknown")
    advance.advance()
    assert state(rollout) == states.HALTED
    Command.objects.update(state="succeeded")
    advance.advance()
    assert steps(rollout)[0] == CHECKING
    answer(servers[0], OK)
    assert steps(rollout) == [DONE, TODO, TODO]
    assert state(rollout) == states.HALTED, "it goes on when a person says so"


def test_what_is_checked_comes_to_its_end_when_the_rollout_is_over(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3, batch="2", probe=URL)
    obey(servers[0])
    tell(operator, rollout, states.END)
    answer(servers[0], OK)
    assert steps(rollout) == [DONE, TODO, TODO]
    assert state(rollout) == states.ENDED


def test_nothing_is_asked_in_the_name_of_who_lost_the_right(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3, probe=URL)
    User.objects.filter(pk=operator.pk).update(is_active=False)
    obey(servers[0])
    assert not Read.objects.exists()
    assert state(rollout) == states.HALTED
    assert "nginx on web-1 was not probed: oleg may not act there any more" in said(rollout)


def test_many_are_asked_in_turns(operator: User, servers: list[Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "LOOKS_A_TURN", 2)
    rollout = begun(operator, 3, batch="100%", probe=URL)
    Command.objects.update(state="succeeded")
    assert advance.advance() == 1
    assert steps(rollout) == [CHECKING] * 3
    assert Read.objects.count() == 3


# Through restarts, and two at once


def test_after_the_hub_was_away_an_old_answer_ends_nothing(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3, probe=URL)
    obey(servers[0])
    later(rollout, 300)
    assert steps(rollout)[0] == CHECKING, "nobody looked since"
    assert Read.objects.count() == 2
    answer(servers[0], OK)
    assert steps(rollout) == [DONE, BUSY, TODO]


def test_after_a_long_time_away_even_the_read_is_gone(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3, probe=URL)
    obey(servers[0])
    Read.objects.update(asked_at=ago(3601), answer_by=ago(3591))
    reads.forget_old()
    RolloutStep.objects.filter(state=CHECKING).update(probe_until=ago(3571))
    advance.advance()
    answer(servers[0], UNWELL)
    assert steps(rollout) == [BAD, TODO, TODO]


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_ask_once_and_move_on_once(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3, batch="2", probe=URL)
    for server in servers[:2]:
        lifecycle.finish(server, deliver(server).uuid, result())
    together(*[advance.advance] * 3)
    assert Read.objects.count() == 2
    given = [reads.take(server)[0] for server in servers[:2]]
    well = wire.Answer(answer=OK)
    answers = [partial(reads.answer, server, read.uuid, well) for server, read in zip(servers, given, strict=False)]
    together(*answers, advance.advance, advance.advance)
    advance.advance()
    assert steps(rollout) == [DONE, DONE, BUSY]
    assert Command.objects.count() == 3
