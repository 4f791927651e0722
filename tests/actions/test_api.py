"""The command API of operators and viewers: what works, who may, and every wrong input."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from actions import lifecycle, states
from actions.models import AuditEntry, Command
from servers.models import Server
from tests.actions.making import NGINX, command, result, service
from tests.cast import program_of, signed_in

pytestmark = pytest.mark.django_db
URL = "/api/actions/srv-web-01"
JSON = "application/json"


def asks(client: Client, body: Any = None, url: str = URL) -> Any:
    given = {"cmd": "restart", "target": NGINX} if body is None else body
    return client.post(url, given, content_type=JSON)


@pytest.fixture
def oleg(operator: User) -> Client:
    return program_of(operator)


@pytest.fixture
def vera(viewer: User) -> Client:
    return program_of(viewer)


def test_an_operator_asks_and_gets_the_command(web1: Server, oleg: Client) -> None:
    service(web1)
    answer = asks(oleg, {"cmd": "restart", "target": NGINX, "reason": "why", "expect": {"mainPid": 123}, "new": 1})
    one = Command.objects.get()
    assert answer.status_code == 201
    body = answer.json()
    assert body["id"] == str(one.uuid)
    assert {name: body[name] for name in ("state", "cmd", "target", "agent", "executeWithinSec", "joined")} == {
        "state": "queued",
        "cmd": "restart",
        "target": NGINX,
        "agent": "srv-web-01",
        "executeWithinSec": 120,
        "joined": False,
    }
    assert body["deliverBy"] > body["createdAt"]
    assert one.expect == {"mainPid": 123}
    assert one.asked_from == "127.0.0.1"


def test_asking_for_the_same_joins(web1: Server, oleg: Client, admin: User) -> None:
    service(web1)
    first = asks(oleg).json()
    again = asks(program_of(admin))
    assert (again.status_code, again.json()["id"], again.json()["joined"]) == (200, first["id"], True)


def test_a_browsers_session_may_ask_too(web1: Server, as_operator: Client) -> None:
    service(web1)
    assert asks(as_operator).status_code == 201


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"cmd", "target"}),
        ({"cmd": 5, "target": []}, {"cmd", "target"}),
        ({"cmd": "restart", "target": ""}, {"target"}),
        ({"cmd": "restart", "target": "x" * 256}, {"target"}),
        ({"cmd": "fly", "target": NGINX}, {"cmd"}),
        ({"cmd": "restart", "target": NGINX, "reason": 1}, {"reason"}),
        ({"cmd": "restart", "target": NGINX, "reason": "x" * 201}, {"reason"}),
        ({"cmd": "restart", "target": NGINX, "deliverWithinSec": "soon"}, {"deliverWithinSec"}),
        ({"cmd": "restart", "target": NGINX, "deliverWithinSec": 2**80}, {"deliverWithinSec"}),
        ({"cmd": "restart", "target": NGINX, "executeWithinSec": 1.5}, {"executeWithinSec"}),
        ({"cmd": "restart", "target": NGINX, "executeWithinSec": 0}, {"executeWithinSec"}),
        ({"cmd": "restart", "target": NGINX, "expect": "me"}, {"expect"}),
        ({"cmd": "restart", "target": NGINX, "expect": {"mainPid": -1}}, {"expect.mainPid"}),
        ({"cmd": "restart", "target": "other.service"}, {"target"}),
        ([], {"body"}),
        ('"restart"', {"body"}),
    ],
)
def test_wrong_fields_are_named(web1: Server, oleg: Client, body: Any, fields: set[str]) -> None:
    service(web1)
    answer = asks(oleg, body)
    assert (answer.status_code, set(answer.json()["fields"])) == (400, fields)
    assert not Command.objects.exists()


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "status"),
    [
        (b"{", JSON, "", 400),
        (b"\xff\xfe", JSON, "", 400),
        (b"[" * 100_000, JSON, "", 400),
        (b"not gzip", JSON, "gzip", 400),
        (b"{}", "text/plain", "", 415),
        (b"{}", JSON, "br", 415),
        (b'{"cmd": "' + b"x" * 140_000 + b'"}', JSON, "", 413),
        (b" " * 2_100_000, JSON, "", 413),
    ],
)
def test_bodies_that_are_none(
    oleg: Client, web1: Server, body: bytes, content_type: str, encoding: str, status: int
) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    answer = oleg.post(URL, body, content_type=content_type, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_what_the_agent_does_not_offer_is_a_conflict(web1: Server, oleg: Client) -> None:
    service(web1, verbs=["start"])
    answer = asks(oleg)
    assert (answer.status_code, "does not offer" in answer.json()["error"]) == (409, True)


def test_another_verb_under_way_is_a_conflict(web1: Server, oleg: Client) -> None:
    service(web1)
    command(web1, cmd="stop")
    assert asks(oleg).status_code == 409


def test_a_viewer_may_not_ask(web1: Server, vera: Client) -> None:
    service(web1)
    assert asks(vera).status_code == 403
    assert not Command.objects.exists()


def test_nobody_and_an_agent_may_not_ask(web1: Server, nobody: User, client: Client, agent: Client) -> None:
    assert asks(program_of(nobody)).status_code == 403
    assert asks(signed_in(nobody)).status_code == 403
    assert asks(client).status_code == 401
    assert asks(agent).status_code == 401


@pytest.mark.parametrize("url", [URL, "/api/actions/unheard-of", "/api/actions/%00"])
def test_a_server_out_of_scope_is_not_there(web1: Server, outsider: User, url: str) -> None:
    service(web1)
    assert asks(program_of(outsider), url=url).status_code == 404
    assert not AuditEntry.objects.exists()


def test_asking_too_often_is_told_when_to_come_back(
    web1: Server, oleg: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    service(web1)
    monkeypatch.setitem(settings.RATE_LIMITS, "actions", (2, 60))
    answers = [asks(oleg) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 200, 429]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 60


def listed(client: Client, **query: Any) -> list[str]:
    answer = client.get("/api/commands", query)
    assert answer.status_code == 200
    return [row["target"] for row in answer.json()["commands"]]


@pytest.fixture
def some(web1: Server, web2: Server, db1: Server) -> None:
    command(web1, target="a")
    command(web1, states.FAILED, target="b", verdict="not_started")
    command(web2, states.RUNNING, target="c")
    command(db1, target="d")


@pytest.mark.parametrize(
    ("query", "targets"),
    [
        ({}, "cba"),
        ({"agent": "srv-web-01"}, "ba"),
        ({"state": "failed"}, "b"),
        ({"state": "queued,running"}, "ca"),
        ({"limit": 1}, "c"),
        ({"agent": "srv-web-02", "state": "queued"}, ""),
    ],
)
def test_commands_in_scope_newest_first(some: None, vera: Client, query: dict[str, Any], targets: str) -> None:
    assert "".join(listed(vera, **query)) == targets


def test_pages_follow_one_another(some: None, vera: Client) -> None:
    first = vera.get("/api/commands", {"limit": 2}).json()
    second = vera.get("/api/commands", {"limit": 2, "before": first["next"]}).json()
    assert [row["target"] for row in first["commands"] + second["commands"]] == ["c", "b", "a"]
    assert second["next"] is None


def test_the_list_is_read_in_few_queries(some: None, as_viewer: Client, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(5):
        listed(as_viewer)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"limit": "0"}, {"limit"}),
        ({"limit": "501"}, {"limit"}),
        ({"limit": "many", "state": "exploded"}, {"limit", "state"}),
        ({"state": "failed,exploded"}, {"state"}),
    ],
)
def test_wrong_filters_are_named(some: None, vera: Client, query: dict[str, str], fields: set[str]) -> None:
    answer = vera.get("/api/commands", query)
    assert (answer.status_code, set(answer.json()["fields"])) == (400, fields)


@pytest.mark.parametrize("query", [{"agent": "srv-db-01"}, {"before": str(uuid.uuid4())}, {"before": "x"}])
def test_filters_by_what_is_not_there(some: None, vera: Client, query: dict[str, str]) -> None:
    assert vera.get("/api/commands", query).status_code == 404


def test_one_command_with_its_moves_and_evidence(web1: Server, vera: Client, operator: User) -> None:
    actor = lifecycle.Actor("Oleg", operator, "198.51.100.23")
    one = lifecycle.queue(server=web1, cmd="restart", target=NGINX, actor=actor, reason="why")
    lifecycle.claim(web1)
    lifecycle.finish(web1, one.uuid, result())
    body = vera.get(f"/api/commands/{one.uuid}").json()
    assert (body["state"], body["sentence"]) == ("succeeded", "Back and steady: active for 5 s. Main PID 456.")
    assert body["evidence"]["after"]["mainPid"] == 456
    assert [move["to"] for move in body["moves"]] == ["queued", "delivered", "running", "succeeded"]
    assert (body["moves"][0]["by"], body["moves"][0]["address"]) == ("Oleg", "198.51.100.23")


@pytest.mark.parametrize("method", ["get", "cancel"])
@pytest.mark.parametrize("which", ["out of scope", "unheard of", "no uuid"])
def test_commands_that_are_not_there(db1: Server, oleg: Client, method: str, which: str) -> None:
    known = {"out of scope": command(db1).uuid, "unheard of": uuid.uuid4(), "no uuid": "48213"}[which]
    url = f"/api/commands/{known}"
    answer = oleg.get(url) if method == "get" else oleg.post(f"{url}/cancel")
    assert answer.status_code == 404
    assert answer.json()["error"]
    assert Command.objects.get().state == states.QUEUED


def test_an_operator_cancels_what_is_queued(web1: Server, oleg: Client) -> None:
    queued = command(web1)
    answer = oleg.post(f"/api/commands/{queued.uuid}/cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert answer.json()["sentence"] == "Taken back by oleg. It never ran."


def test_it_is_too_late_to_cancel(web1: Server, oleg: Client) -> None:
    running = command(web1, states.RUNNING)
    answer = oleg.post(f"/api/commands/{running.uuid}/cancel")
    assert (answer.status_code, "running" in answer.json()["error"]) == (409, True)


def test_a_viewer_may_not_cancel(web1: Server, vera: Client) -> None:
    queued = command(web1)
    assert vera.post(f"/api/commands/{queued.uuid}/cancel").status_code == 403
    queued.refresh_from_db()
    assert queued.state == states.QUEUED


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", URL),
        ("put", URL),
        ("post", "/api/commands"),
        ("delete", "/api/commands/{one}"),
        ("get", "/api/commands/{one}/cancel"),
    ],
)
def test_wrong_methods(web1: Server, oleg: Client, method: str, path: str) -> None:
    one = command(web1)
    assert getattr(oleg, method)(path.format(one=one.uuid)).status_code == 405
