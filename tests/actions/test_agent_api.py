"""What agents say about commands over HTTP: acknowledgement, result, and every wrong one of them."""

from __future__ import annotations

import gzip
import json
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from actions import states, wire
from actions.models import Command
from servers.models import Server
from tests.actions.making import NGINX, RESTARTED, RUNNING, command
from tests.cast import agent_with, program_of

pytestmark = pytest.mark.django_db
JSON = "application/json"


def url(one: Any, call: str, agent: str = "srv-web-01") -> str:
    return f"/api/actions/queue/{agent}/{getattr(one, 'uuid', one)}/{call}"


def says(client: Client, one: Any, call: str, body: Any) -> Any:
    return client.post(url(one, call), body, content_type=JSON)


def test_an_agent_takes_runs_and_proves_a_command(web1: Server, agent: Client) -> None:
    one = command(web1, expect={"mainPid": 123, "startTicks": 4711})
    answer = agent.get("/api/actions/queue/srv-web-01")
    (given,) = answer.json()["commands"]
    assert given["id"] == str(one.uuid)
    assert (given["cmd"], given["target"], given["expect"]) == ("restart", NGINX, {"mainPid": 123, "startTicks": 4711})
    assert given["createdAt"].endswith("Z")
    assert given["createdAt"] < given["deliverBy"] < given["executeBy"]
    assert agent.get("/api/actions/queue/srv-web-01").status_code == 204
    acked = says(agent, one, "ack", {"startedAt": "2026-11-23T14:06:24.9Z"})
    assert (acked.status_code, acked.json()) == (200, {"state": "running"})
    for _ in range(2):
        done = says(agent, one, "result", RESTARTED)
        assert (done.status_code, done.json()) == (200, {"state": "succeeded"})


@pytest.mark.parametrize("state", [states.EXPIRED, states.CANCELLED, states.SUCCEEDED, states.UNKNOWN, states.QUEUED])
def test_what_may_not_run_is_a_conflict_that_says_the_state(web1: Server, agent: Client, state: str) -> None:
    answer = says(agent, command(web1, state), "ack", {})
    assert (answer.status_code, answer.json()) == (409, {"state": state})


def test_a_result_of_what_never_began_is_a_conflict(web1: Server, agent: Client) -> None:
    answer = says(agent, command(web1, states.DELIVERED), "result", {"outcome": "interrupted"})
    assert (answer.status_code, answer.json()) == (409, {"state": "delivered"})


@pytest.mark.parametrize("call", ["ack", "result"])
@pytest.mark.parametrize("which", ["another's", "unheard of", "no uuid"])
def test_commands_that_are_not_this_agents(web1: Server, db1: Server, agent: Client, call: str, which: str) -> None:
    theirs = command(db1, states.DELIVERED)
    known = {"another's": theirs.uuid, "unheard of": uuid.uuid4(), "no uuid": "48213"}[which]
    assert says(agent, known, call, {} if call == "ack" else RESTARTED).status_code == 404
    assert Command.objects.get(pk=theirs.pk).state == states.DELIVERED


@pytest.mark.parametrize("call", ["ack", "result"])
def test_only_the_servers_own_token_counts(
    web1: Server, other_agent_token: str, operator: User, client: Client, call: str
) -> None:
    one, body = command(web1, states.DELIVERED), {} if call == "ack" else RESTARTED
    assert says(agent_with(other_agent_token), one, call, body).status_code == 403
    assert says(agent_with("pma_wrong"), one, call, body).status_code == 401
    assert says(program_of(operator), one, call, body).status_code == 401
    assert says(client, one, call, body).status_code == 401
    assert Command.objects.get().state == states.DELIVERED


WRONG: list[tuple[str, Any, set[str]]] = [
    ("ack", {"startedAt": "yesterday"}, {"startedAt"}),
    ("ack", {"startedAt": "2026-11-23T14:06:24"}, {"startedAt"}),
    ("ack", [], {"body"}),
    ("result", {}, {"outcome"}),
    ("result", {"outcome": "splendid"}, {"outcome"}),
    ("result", {"outcome": "done", "exitCode": "0"}, {"exitCode"}),
    ("result", {"outcome": "done", "exitCode": 2**31}, {"exitCode"}),
    ("result", {"outcome": "done", "output": ["x"], "reason": 1}, {"output", "reason"}),
    ("result", {"outcome": "done", "output": "x" * 16_385}, {"output"}),
    ("result", {"outcome": "done", "reason": "x" * 1_001}, {"reason"}),
    ("result", {"outcome": "done", "before": "active"}, {"before"}),
    ("result", {"outcome": "done", "after": {"mainPid": "1", "settledSec": -1}}, {"after.mainPid", "after.settledSec"}),
    ("result", {"outcome": "done", "after": {"activeState": "x" * 41}}, {"after.activeState"}),
    ("result", {"outcome": "done", "log": "line"}, {"log"}),
    ("result", {"outcome": "done", "log": ["ok", 5]}, {"log[1]"}),
    ("result", {"outcome": "done", "log": ["x"] * 201}, {"log"}),
    ("result", {"outcome": "done", "log": ["x" * 4_097]}, {"log[0]"}),
    ("result", {"outcome": "done", "changes": [{"activeState": "active"}]}, {"changes[0].t"}),
    ("result", {"outcome": "done", "endedAt": 5, "command": {}}, {"endedAt", "command"}),
]


@pytest.mark.parametrize(("call", "body", "fields"), WRONG)
def test_wrong_fields_are_named(web1: Server, agent: Client, call: str, body: Any, fields: set[str]) -> None:
    one = command(web1, states.DELIVERED)
    answer = says(agent, one, call, body)
    assert (answer.status_code, set(answer.json()["fields"])) == (400, fields)
    assert Command.objects.get().state == states.DELIVERED


@pytest.mark.parametrize("call", ["ack", "result"])
def test_bodies_too_large_or_no_json(web1: Server, agent: Client, call: str) -> None:
    address = url(command(web1, states.DELIVERED), call)
    large = json.dumps({"outcome": "done", "padding": "x" * wire.BODY_MAX_BYTES}).encode()
    bomb = gzip.compress(b" " * 5_000_000)
    assert agent.post(address, large, content_type=JSON).status_code == 413
    assert agent.post(address, bomb, content_type=JSON, headers={"Content-Encoding": "gzip"}).status_code == 413
    assert agent.post(address, b"{]", content_type=JSON).status_code == 400
    assert agent.post(address, b" ", content_type=JSON).status_code == 400
    assert agent.post(address, b"{}", content_type="text/html").status_code == 415


def test_a_gzipped_result_is_taken(web1: Server, agent: Client) -> None:
    packed = gzip.compress(json.dumps(RESTARTED).encode())
    one = command(web1, states.RUNNING)
    answer = agent.post(url(one, "result"), packed, content_type=JSON, headers={"Content-Encoding": "gzip"})
    assert answer.json() == {"state": "succeeded"}


def test_unknown_fields_are_ignored_and_long_ones_cut(web1: Server, agent: Client) -> None:
    one = command(web1, states.RUNNING)
    long = {"output": "a" * 10_000 + "end", "log": [f"{n} " + "x" * 600 for n in range(30)], "invented": {"a": 1}}
    says(agent, one, "result", {**RESTARTED, **long, "before": {**RUNNING, "invented": True}})
    kept = Command.objects.get().evidence
    assert kept["output"].startswith("[the beginning was cut]")
    assert kept["output"].endswith("end")
    assert len(kept["output"]) < 8_300
    assert [line.split()[0] for line in kept["log"]] == [str(n) for n in range(10, 30)]
    assert max(map(len, kept["log"])) == 500
    assert "invented" not in kept
    assert "invented" not in kept["before"]


@pytest.mark.parametrize(
    "text", ["nul \0 within", "half \ud83d of a pair", "<script>alert(1)</script>", "‮rtl 🙂\n\r\x1b[31m"]
)
def test_any_text_can_be_evidence(web1: Server, agent: Client, text: str) -> None:
    one = command(web1, states.RUNNING)
    answer = says(agent, one, "result", {**RESTARTED, "output": text, "log": [text], "reason": text})
    assert answer.status_code == 200
    kept = Command.objects.get().evidence
    assert kept["output"] == text.replace("\0", "�").replace("\ud83d", "�")


@pytest.mark.parametrize("wait", ["-1", "56", "abc", "", "1.5", "99999999999"])
def test_a_wrong_wait_is_named(web1: Server, agent: Client, wait: str) -> None:
    answer = agent.get("/api/actions/queue/srv-web-01", {"wait": wait})
    assert (answer.status_code, set(answer.json()["fields"])) == (400, {"wait"})


@pytest.mark.parametrize("call", ["ack", "result"])
def test_only_post(web1: Server, agent: Client, call: str) -> None:
    assert agent.get(url(command(web1), call)).status_code == 405
