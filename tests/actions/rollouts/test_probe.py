"""Asking for a rollout with a probe: right and wrong addresses, the plan, and what its page shows."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from actions.rollouts import start
from actions.rollouts.models import Rollout
from servers.models import Newest, Server, ServerGroup
from tests.actions.making import NGINX
from tests.actions.pages import text
from tests.actions.rollouts.making import begun, obey, wanted
from tests.actions.rollouts.probing import URL, able_fleet, answer, later
from tests.cast import program_of

pytestmark = pytest.mark.django_db
NOT_ITSELF = (
    "http://10.0.0.1/", "http://127.0.0.1.example.org/", "http://{host}/", "http:///health", "file:///etc/passwd",
    "127.0.0.1:80", "http://127.0.0.1:port/", "http://[::1/", "http://127.0.0.1/a\nb", "http://127.0.0.1/a b",
    "http://127.0.0.1/\x00", "http://127.0.0.1/é",
)  # fmt: skip
ASK = {"cmd": "restart", "target": NGINX, "reason": "New TLS certificate", "count": 3}


@pytest.fixture
def servers(web_group: ServerGroup) -> list[Server]:
    return able_fleet(web_group)


@pytest.mark.parametrize(
    "url",
    ["", URL, "https://localhost/", "http://[::1]:8080/health?deep=1", "tcp://127.0.0.1:5432", "tcp://LOCALHOST:22"],
)
def test_a_right_address_is_taken(url: str) -> None:
    assert not start.wrong_fields(wanted(probe=url))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        *[(url, "must be an address on the server itself, such as http") for url in NOT_ITSELF],
        ("http://u:p@127.0.0.1/", "must not name a user or a password"),
        ("tcp://127.0.0.1", "must name the port, such as tcp://127.0.0.1:5432"),
        ("http://127.0.0.1/" + "x" * 200, "must be at most 200 characters long"),
    ],
)
def test_a_wrong_address_is_named(url: str, words: str) -> None:
    assert words in start.wrong_fields(wanted(probe=url))["probe"]


@pytest.mark.parametrize("wrong", [{"probe": "http://10.0.0.1/"}, {"probe": URL, "cmd": "stop"}, {"probe": 5}])
def test_a_program_is_told_what_is_wrong(operator: User, servers: list[Server], wrong: dict[str, Any]) -> None:
    answered = program_of(operator).post("/api/rollouts", {**ASK, **wrong}, "application/json")
    assert answered.status_code == 400
    assert set(answered.json()["fields"]) == {"probe"}
    assert not Rollout.objects.exists()


def test_a_program_asks_for_one(operator: User, servers: list[Server]) -> None:
    answered = program_of(operator).post("/api/rollouts", {**ASK, "probe": URL}, "application/json")
    assert (answered.status_code, answered.json()["probe"]) == (201, URL)


def test_the_plan_names_who_cannot_probe(operator: User, as_operator: Client, servers: list[Server]) -> None:
    Newest.objects.filter(server=servers[1]).update(facts={})
    body = {**ASK, "probe": URL, "dryRun": True}
    plan = program_of(operator).post("/api/rollouts", body, "application/json").json()
    assert plan["cannotProbe"] == ["web-2"]
    shown = text(as_operator.get(f"/rollouts/new/?cmd=restart&target={NGINX}&probe={URL}"))
    assert "Cannot probe, agent too old: web-2. They fail before anything is done there." in shown
    assert f"probe {URL}" in shown
    assert "Cannot probe" not in text(as_operator.get(f"/rollouts/new/?cmd=restart&target={NGINX}"))


@pytest.mark.parametrize("query", ["cmd=restart&probe=http://10.0.0.1/", f"cmd=stop&probe={URL}"])
def test_a_wrong_address_in_the_form_is_said_at_its_field(
    as_operator: Client, servers: list[Server], query: str
) -> None:
    shown = text(as_operator.get(f"/rollouts/new/?target={NGINX}&{query}"), 400)
    assert 'id="id_probe_error"' in shown
    assert 'id="plan"' not in shown


def test_the_page_shows_the_probe_at_work_and_what_it_said(
    as_operator: Client, operator: User, servers: list[Server]
) -> None:
    rollout = begun(operator, 3, probe=URL)
    obey(servers[0])
    address = f"/rollouts/{rollout.pk}/"
    shown = text(as_operator.get(address))
    assert f'<dd class="mono">{URL}</dd>' in shown
    assert '<span class="hide">Checking, </span>checking' in shown
    answer(servers[0], {"ok": False, "said": "<b>odd</b>\x07"})
    later(rollout, 24)
    answer(servers[0], {"ok": False, "said": "<b>odd</b>\x07"})
    later(rollout, 7)
    shown = text(as_operator.get(address))
    assert "nginx on web-1 restarted, but the probe says: &lt;b&gt;odd&lt;/b&gt;␇" in shown
    assert f"Probed there: {URL}" in shown
    assert f"Probe of {NGINX}" in text(as_operator.get("/audit/"))
    told = program_of(operator).get(f"/api{address[:-1]}").json()["steps"][0]
    assert (told["why"], told["said"]) == ("probe", "<b>odd</b>␇")
