"""The OpenAPI names every call of the protocol, with examples, and is valid without a warning."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from tests.cast import program_of, signed_in

CALLS = {
    ("post", "/api/agents/register"),
    ("post", "/api/agents/{agent}/metrics"),
    ("get", "/api/servers"),
    ("get", "/api/servers/{agent}"),
    ("get", "/api/servers/{agent}/processes"),
    ("get", "/api/servers/{agent}/history"),
    ("get", "/api/servers/{agent}/explain"),
    ("get", "/api/servers/{agent}/states"),
    ("get", "/api/processes"),
    ("get", "/api/processes/seen"),
    ("post", "/api/actions/{agent}"),
    ("get", "/api/actions/queue/{agent}"),
    ("post", "/api/actions/queue/{agent}/{command}/ack"),
    ("post", "/api/actions/queue/{agent}/{command}/result"),
    ("post", "/api/actions/queue/{agent}/reads/{read}"),
    ("get", "/api/leases"),
    ("get", "/api/servers/{agent}/events"),
    ("get", "/api/servers/{agent}/services/{name}/events"),
    ("get", "/api/commands"),
    ("get", "/api/commands/{command}"),
    ("post", "/api/commands/{command}/cancel"),
    ("get", "/api/schedules"),
    ("post", "/api/schedules"),
    ("get", "/api/schedules/{schedule}"),
    ("patch", "/api/schedules/{schedule}"),
    ("delete", "/api/schedules/{schedule}"),
    ("get", "/api/alerts/rules"),
    ("post", "/api/alerts/rules"),
    ("post", "/api/alerts/rules/preview"),
    ("get", "/api/alerts/rules/{number}"),
    ("put", "/api/alerts/rules/{number}"),
    ("patch", "/api/alerts/rules/{number}"),
    ("delete", "/api/alerts/rules/{number}"),
    ("post", "/api/alerts/rules/{number}/clone"),
    ("get", "/api/rollouts"),
    ("post", "/api/rollouts"),
    ("get", "/api/rollouts/{number}"),
    ("post", "/api/rollouts/{number}/{way}"),
    ("get", "/api/alerts/incidents"),
    ("get", "/api/alerts/incidents/{incident}"),
    ("post", "/api/alerts/incidents/{incident}/{move}"),
    ("get", "/api/alerts/silences"),
    ("post", "/api/alerts/silences"),
    ("get", "/api/alerts/silences/{number}"),
    ("patch", "/api/alerts/silences/{number}"),
    ("post", "/api/alerts/silences/{number}/end"),
}
Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file: Path = tmp_path_factory.mktemp("schema") / "openapi.json"
    call_command("spectacular", validate=True, fail_on_warn=True, format="openapi-json", file=str(file))
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def operations(described: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in described["paths"].items():
        yield from ((method, path, what) for method, what in methods.items())


def test_every_call_of_the_protocol_is_there_and_no_other(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.")
    assert {(method, path) for method, path, _ in operations(described)} == CALLS


def test_every_call_says_what_it_is_and_who_may(described: dict[str, Any]) -> None:
    for method, path, what in operations(described):
        where = f"{method} {path}"
        assert what["summary"], where
        schemes = {name for scheme in what.get("security", []) for name in scheme}
        is_agents = path.startswith(("/api/actions/queue/", "/api/agents/{"))
        expected = {"agentToken"} if is_agents else {"userToken", "cookieAuth"}
        assert schemes == (set() if path.endswith("/register") else expected), where


def test_every_call_shows_an_example_of_its_bodies(described: dict[str, Any]) -> None:
    missing = []
    for method, path, what in operations(described):
        bodies = [what["requestBody"]] if "requestBody" in what else []
        bodies += [answer for code, answer in what["responses"].items() if code in ("200", "201", "202")]
        missing += [f"{method} {path}" for body in bodies if '"example' not in json.dumps(body)]
    assert missing == []


def test_schema_and_docs_are_for_whoever_is_signed_in(viewer: User) -> None:
    assert Client().get("/api/schema").status_code == 401
    assert Client().get("/api/docs")["Location"] == "/login/?next=/api/docs"
    assert program_of(viewer).get("/api/schema").status_code == 200
    accepted = signed_in(viewer).get("/api/schema", headers={"Accept": "application/vnd.oai.openapi+json"})
    assert json.loads(accepted.content)["info"]["title"] == "Process Monitor"
    page = signed_in(viewer).get("/api/docs")
    assert page.status_code == 200
    assert "csrftoken" in page.cookies
