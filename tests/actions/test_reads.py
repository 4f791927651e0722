"""Reads on demand in the hub: asked with a record, given once, answered by whom they were asked of, and in time."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any

import msgspec
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import translation
from django.utils.html import format_html

from actions import lifecycle, live, reads
from actions.models import AuditEntry, Read
from actions.reads import Kind
from pmonitor.live import View
from pmonitor.problems import Problem
from servers.models import Newest, Server
from tests.actions.making import NGINX, ago, command, newest
from tests.cast import agent_with, program_of

pytestmark = pytest.mark.django_db
JSON = "application/json"
QUEUE = "/api/actions/queue/srv-web-01"


class Weather(msgspec.Struct, rename="camel"):
    sky: Annotated[str, msgspec.Meta(max_length=40)]
    wind_speed: Annotated[int, msgspec.Meta(ge=0)] = 0


@pytest.fixture(autouse=True)
def weather() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        kind = Kind("Weather of %(target)s", Weather, lambda read: format_html("<p>It is {}.</p>", read.answer["sky"]))  # type: ignore[index]
        patch.setitem(reads.KINDS, "weather", kind)
        yield


@pytest.fixture
def able(web1: Server) -> Newest:
    """web1's agent can answer."""
    return newest(web1, facts={"features": ["reads"]})


def asked(user: User, server: Server, **given: Any) -> Read:
    return reads.ask(user, server, "weather", NGINX, given.pop("args", {"day": 1}), "198.51.100.23", **given)


def answers(client: Client, read: Any, body: Any) -> Any:
    return client.post(f"{QUEUE}/reads/{getattr(read, 'uuid', read)}", body, content_type=JSON)


def page(read: Read) -> str:
    return live.read(str(read.pk), View("en", "viewer"))[1]["read"]


def test_asked_given_once_answered_and_shown(web1: Server, able: Newest, operator: User, agent: Client) -> None:
    read = asked(operator, web1)
    assert f'data-topic="read:{read.pk}"' in page(read)
    one = command(web1)
    assert [sent["id"] for sent in agent.get(QUEUE).json()["commands"]] == [str(one.uuid)], "commands first"
    (question,) = agent.get(QUEUE).json()["reads"]
    assert question.pop("answerBy").endswith("Z")
    assert question == {"id": str(read.uuid), "kind": "weather", "target": NGINX, "args": {"day": 1}}
    assert agent.get(QUEUE).status_code == 204, "never given again"
    answer = answers(agent, read, {"answer": {"sky": "<blue>", "invented": 5}})
    assert (answer.status_code, answer.json()) == (200, {"taken": True})
    read.refresh_from_db()
    assert (read.verdict, read.answer) == (reads.ANSWERED, {"sky": "<blue>", "windSpeed": 0})
    assert "<p>It is &lt;blue&gt;.</p>" in page(read)
    assert "data-topic" not in page(read), "nothing more comes"


def test_it_is_on_record_who_asked_what(web1: Server, able: Newest, operator: User, as_operator: Client) -> None:
    asked(operator, web1)
    entry = AuditEntry.objects.get()
    assert (entry.event, entry.actor, entry.address) == ("read.weather", "oleg", "198.51.100.23")
    assert (entry.server, entry.target, entry.facts) == (web1, NGINX, {"args": {"day": 1}})
    shown = as_operator.get("/audit/").content.decode()
    assert f"Weather of {NGINX}" in shown


def test_looking_on_is_recorded_now_and_then(web1: Server, able: Newest, operator: User, admin: User) -> None:
    asked(operator, web1)
    for _ in range(3):
        asked(operator, web1, again=True)
    assert AuditEntry.objects.count() == 1
    asked(admin, web1, again=True)
    asked(operator, web1)
    assert AuditEntry.objects.count() == 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reads, "RECORD_EVERY", timedelta(0))
        asked(operator, web1, again=True)
    assert AuditEntry.objects.count() == 4


@pytest.mark.parametrize(
    ("facts", "state", "why"),
    [
        (None, "waiting", "No report has come"),
        ({"features": ["reads"]}, "silent", "is silent"),
        ({}, "up", "too old"),
        ({"features": []}, "up", "too old"),
    ],
)
def test_who_cannot_answer_is_not_asked(
    web1: Server, operator: User, agent: Client, facts: Any, state: str, why: str
) -> None:
    if facts is not None:
        newest(web1, facts=facts)
    web1.state = state
    read = asked(operator, web1)
    assert why in page(read)
    assert agent.get(QUEUE).status_code == 204
    assert AuditEntry.objects.get().facts["verdict"] == read.verdict


def test_why_is_said_in_the_readers_language(web1: Server, operator: User) -> None:
    read = asked(operator, web1)
    with translation.override("ro"):
        assert reads.why(read)


def test_an_agents_own_reason_is_shown_escaped(web1: Server, able: Newest, operator: User, agent: Client) -> None:
    read = asked(operator, web1)
    agent.get(QUEUE)
    assert answers(agent, read, {"error": "no <b>window</b>\x07 here"}).status_code == 200
    assert "no &lt;b&gt;window&lt;/b&gt;␇ here" in page(read)


def test_late_unasked_and_twice(web1: Server, able: Newest, operator: User, agent: Client) -> None:
    sunny = {"answer": {"sky": "blue"}}
    read = asked(operator, web1)
    assert answers(agent, read, sunny).status_code == 409, "it was not given yet"
    agent.get(QUEUE)
    assert answers(agent, read, sunny).status_code == 200
    assert answers(agent, read, {"answer": {"sky": "grey"}}).status_code == 409
    late = asked(operator, web1)
    agent.get(QUEUE)
    Read.objects.filter(pk=late.pk).update(answer_by=ago(1))
    assert answers(agent, late, sunny).status_code == 409
    assert "did not answer within 10 s" in page(late)
    assert Read.objects.get(pk=read.pk).answer == {"sky": "blue", "windSpeed": 0}


def test_only_the_agent_that_was_asked_answers(
    web1: Server, db1: Server, able: Newest, operator: User, agent: Client, other_agent_token: str
) -> None:
    read = asked(operator, web1)
    agent.get(QUEUE)
    sunny = {"answer": {"sky": "blue"}}
    elsewhere = f"/api/actions/queue/srv-db-01/reads/{read.uuid}"
    assert agent_with(other_agent_token).post(elsewhere, sunny, content_type=JSON).status_code == 404
    assert answers(agent_with(other_agent_token), read, sunny).status_code == 403
    assert answers(program_of(operator), read, sunny).status_code == 401
    assert answers(agent, uuid.uuid4(), sunny).status_code == 404
    assert answers(agent, "no-uuid", sunny).status_code == 404
    assert agent.get(f"{QUEUE}/reads/{read.uuid}").status_code == 405
    assert Read.objects.get().verdict == ""


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"answer"}),
        ({"answer": {"sky": "blue"}, "error": "both"}, {"answer"}),
        ({"answer": ["blue"]}, {"answer"}),
        ({"answer": {}}, {"answer.sky"}),
        ({"answer": {"sky": "x" * 41, "windSpeed": -1}}, {"answer.sky", "answer.windSpeed"}),
        ({"error": ""}, {"error"}),
        ({"error": "x" * 1001}, {"error"}),
        ([], {"body"}),
    ],
)
def test_wrong_answers_are_named(
    web1: Server, able: Newest, operator: User, agent: Client, body: Any, fields: set[str]
) -> None:
    read = asked(operator, web1)
    agent.get(QUEUE)
    answer = answers(agent, read, body)
    assert (answer.status_code, set(answer.json()["fields"])) == (400, fields)
    assert Read.objects.get().verdict == ""


def test_answers_have_a_size(web1: Server, able: Newest, operator: User, agent: Client) -> None:
    read = asked(operator, web1)
    agent.get(QUEUE)
    fits = json.dumps({"answer": {"sky": "blue", "padding": "x" * 250_000}}).encode()
    large = json.dumps({"answer": {"sky": "blue", "padding": "x" * 262_144}}).encode()
    address = f"{QUEUE}/reads/{read.uuid}"
    assert agent.post(address, large, content_type=JSON).status_code == 413
    packed = agent.post(address, gzip.compress(large), content_type=JSON, headers={"Content-Encoding": "gzip"})
    assert packed.status_code == 413
    assert (
        agent.post(address, gzip.compress(fits), content_type=JSON, headers={"Content-Encoding": "gzip"}).status_code
        == 200
    )


def test_time_ends_and_drops_reads(web1: Server, able: Newest, operator: User) -> None:
    late, fresh, old = (asked(operator, web1) for _ in range(3))
    Read.objects.filter(pk=late.pk).update(answer_by=ago(1))
    Read.objects.filter(pk=old.pk).update(asked_at=ago(3601))
    assert [reads.end_unanswered(), reads.end_unanswered()] == [1, 0]
    late.refresh_from_db()
    assert late.verdict == reads.LATE
    assert [reads.forget_old(), reads.forget_old()] == [1, 0]
    assert set(Read.objects.all()) == {late, fresh}
    assert AuditEntry.objects.count() == 3, "that it was asked stays"


def test_asking_is_limited(web1: Server, able: Newest, operator: User, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "reads": (1, 60)}
    asked(operator, web1)
    with pytest.raises(Problem) as refused:
        asked(operator, web1)
    assert refused.value.status_code == 429
    asked(operator, web1, limited=False)
    assert Read.objects.count() == 2


def test_an_answer_is_watched_by_who_asked_while_the_server_is_in_scope(
    web1: Server, able: Newest, operator: User, viewer: User, web_group: Any
) -> None:
    keys = {str(asked(operator, web1).pk), "0", "x", "9" * 20}
    assert live.may_watch_read(operator, keys) == keys - {"0", "x", "9" * 20}
    assert not live.may_watch_read(viewer, keys)
    operator.scope.groups.clear()
    assert not live.may_watch_read(operator, keys)


def test_asking_wakes_the_agent_in_the_same_transaction(web1: Server, able: Newest, operator: User) -> None:
    with pytest.MonkeyPatch.context() as patch:
        woken: list[tuple[int, bool]] = []
        patch.setattr(lifecycle, "wake_agent", lambda server: woken.append((server, connection.in_atomic_block)))
        asked(operator, web1)
        Newest.objects.update(facts={})
        asked(operator, web1)
    assert woken == [(web1.pk, True)]
