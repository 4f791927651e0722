"""What surrounds a report, by each of its two doors: who may still send it, by which way, and how it is told of."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from pmonitor.metrics import REPORTS
from servers import agents
from servers.models import Newest, Server
from tests.servers.doors import Door, door  # noqa: F401
from tests.servers.reports import MINIMAL, post, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent(door: Door, agent_token: str) -> Client:  # noqa: F811
    """Web1's agent."""
    return door(agent_token)


def newest(server: Server) -> Newest:
    return Newest.objects.get(server=server)


@pytest.mark.parametrize("body", [MINIMAL, "{"])
def test_a_token_is_refused_from_the_moment_it_is_revoked(agent: Client, web1: Server, body: str) -> None:
    assert post(agent, report(ts=1)).status_code == 202
    Server.objects.update(token_hash="0" * 64)
    assert post(agent, body).status_code == 401
    assert newest(web1).seq == 1


def test_an_address_is_refused_from_the_moment_it_is_not_allowed(agent: Client, web1: Server) -> None:
    assert post(agent, report(ts=1)).status_code == 202
    Server.objects.update(allowed_networks=["10.0.0.0/8"])
    assert post(agent, report(ts=2)).status_code == 403
    Server.objects.update(allowed_networks=["127.0.0.0/8"])
    assert post(agent, report(ts=3)).status_code == 202
    assert newest(web1).seq == 2


def test_a_server_that_was_removed_since_its_last_report_is_401(agent: Client, web1: Server) -> None:
    assert post(agent, report(ts=1)).status_code == 202
    web1.delete()
    assert post(agent, report(ts=2)).status_code == 401


def test_the_address_is_the_one_a_trusted_proxy_forwards_for(agent: Client, web1: Server, settings: Any) -> None:
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.0/8")]
    assert post(agent, MINIMAL, headers={"X-Forwarded-For": "10.9.9.9, 203.0.113.7"}).status_code == 202
    assert newest(web1).facts["address"] == "203.0.113.7"


def test_the_request_has_an_id_in_answer_and_log(agent: Client, web1: Server, caplog: pytest.LogCaptureFixture) -> None:
    answer = post(agent, "{", headers={"X-Request-ID": "from-the-agent"})
    assert answer["X-Request-ID"] == "from-the-agent"
    said: Any = next(line.msg for line in caplog.records if line.name == "pmonitor.client")
    assert (said["request"], said["method"], said["status"]) == ("from-the-agent", "POST", 400)
    assert said["path"] == "/api/agents/srv-web-01/metrics"
    assert len(post(agent, MINIMAL)["X-Request-ID"]) == 32


def test_another_host_name_is_refused(agent: Client, web1: Server) -> None:
    assert post(agent, MINIMAL, headers={"Host": "evil.example"}).status_code == 400
    assert not Newest.objects.exists()


def test_where_there_must_be_tls_a_plain_report_is_sent_there(agent: Client, web1: Server, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT, settings.TRUSTED_PROXIES = True, []
    answer = post(agent, MINIMAL, headers={"X-Forwarded-Proto": "https"})  # of nobody we trust
    assert (answer.status_code, answer["Location"][:8]) == (301, "https://")
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.0/8")]
    assert post(agent, MINIMAL, headers={"X-Forwarded-Proto": "https"}).status_code == 202


def test_each_report_is_counted_by_how_it_was_answered(agent: Client, web1: Server) -> None:
    before = counted()
    for body in (report(ts=1), report(ts=1), report(ts=0, sentAt=1), "{", report(procs=1)):
        post(agent, body)
    assert {outcome: count - before[outcome] for outcome, count in counted().items()} == {
        "stored": 1, "duplicate": 1, "late": 1, "refused": 2
    }  # fmt: skip


def counted() -> dict[str, float]:
    outcomes = ("stored", "duplicate", "late", "refused")
    return {outcome: REPORTS.labels(outcome)._value.get() for outcome in outcomes}


def test_a_database_that_does_not_answer_is_503(agent: Client, web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: object) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(agents, "server_for", away)
    answer = post(agent, MINIMAL)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "try again" in answer.json()["error"]


def test_what_nobody_expected_is_500_without_its_words(
    agent: Client, web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise KeyError("a secret")

    monkeypatch.setattr(agents, "server_for", broken)
    agent.raise_request_exception = False
    answer = post(agent, MINIMAL)
    assert answer.status_code == 500
    assert "secret" not in answer.content.decode()
