"""What the agent knows of a stop's impact, in the confirmation."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from actions import impact, reads, wire
from actions.models import AuditEntry, Read
from pmonitor.problems import Problem
from servers.models import Newest, Server
from tests.actions.making import NGINX, newest, service
from tests.actions.pages import CONFIRM, text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def able(web1: Server) -> Newest:
    """web1's agent answers reads."""
    return newest(web1, facts={"features": ["reads"]})


def answered(user: User, server: Server, given: dict[str, Any], cmd: str = "restart") -> str:
    read = reads.ask(user, server, "impact", NGINX, {"cmd": cmd})
    (taken,) = reads.take(server)
    reads.answer(server, taken.uuid, wire.Answer(answer=given))
    read.refresh_from_db()
    return reads.html(read)


def test_the_dialog_asks_the_agent_and_says_so(as_operator: Client, web1: Server) -> None:
    service(web1)
    shown = text(as_operator.get(CONFIRM))
    read = Read.objects.get()
    assert (read.kind, read.target, read.args) == ("impact", NGINX, {"cmd": "restart"})
    assert f'data-topic="read:{read.pk}"' in shown
    assert "Asking the server" in shown


def test_opening_it_again_adds_nothing_to_the_trail(as_operator: Client, web1: Server) -> None:
    service(web1)
    for _time in range(3):
        as_operator.get(CONFIRM)
    assert Read.objects.count() == 3
    assert AuditEntry.objects.get().event == "read.impact"


@pytest.mark.parametrize(("cmd", "state"), [("start", "failed"), ("reload", "active"), ("restart", "inactive")])
def test_what_stops_nothing_asks_nothing(as_operator: Client, web1: Server, cmd: str, state: str) -> None:
    service(web1, active_state=state)
    assert "Asking" not in text(as_operator.get(CONFIRM.replace("/restart/", f"/{cmd}/")))
    assert not Read.objects.exists()


def test_an_agent_that_cannot_answer_is_not_held_against_the_dialog(
    as_operator: Client, web1: Server, able: Newest
) -> None:
    service(web1)
    Newest.objects.update(facts={})
    shown = text(as_operator.get(CONFIRM))
    assert "too old" not in shown
    assert not AuditEntry.objects.exists(), "nobody was asked"
    assert "Restart nginx</button>" in shown


@pytest.mark.parametrize(
    ("given", "cmd", "said"),
    [
        ({}, "stop", "No other service stops with it."),
        ({"stops": [{"name": "app.service", "activeState": "active"}]}, "stop", "Stops with it: app.service."),
        ({"stops": [{"name": "app.service", "activeState": "active"}]}, "restart", "Restarts with it: app.service."),
        (
            {"stops": [{"name": f"{n}.service", "activeState": "active"} for n in range(7)]},
            "stop",
            "Stops with it: 0.service, 1.service, 2.service, 3.service, 4.service and 2 more.",
        ),
        (
            {"stops": [{"name": f"{n}.service", "activeState": "active"} for n in range(7)], "more": True},
            "stop",
            "4.service and 2+ more.",
        ),
        ({"clients": 0, "ports": []}, "stop", "It listens on no port."),
        ({"clients": 0, "ports": [80, 443]}, "stop", "Nobody is connected to its ports (80, 443)."),
        (
            {"clients": 1, "ports": [80], "peers": [{"address": "192.0.2.7", "connections": 1}]},
            "stop",
            "1 client is connected to its ports (80): 192.0.2.7.",
        ),
        (
            {"clients": 12, "ports": [80], "peers": [{"address": "192.0.2.7", "connections": 9}]},
            "stop",
            "12 clients are connected to its ports (80), most from 192.0.2.7.",
        ),
        ({"isHub": True}, "stop", "This hub itself runs in it"),
        ({"stops": [{"name": "<b>x</b>", "activeState": "active"}]}, "stop", "&lt;b&gt;x&lt;/b&gt;"),
    ],
)
def test_what_was_found_is_said_in_sentences(
    operator: User, web1: Server, given: dict[str, Any], cmd: str, said: str
) -> None:
    assert said in answered(operator, web1, given, cmd)


def test_an_answer_of_another_shape_is_refused_by_field(operator: User, web1: Server) -> None:
    with pytest.raises(Problem) as refused:
        answered(operator, web1, {"stops": [{"name": 1}], "clients": -1})
    assert {name.split("[")[0] for name in refused.value.fields} == {"answer.stops", "answer.clients"}
    assert impact.KIND in reads.KINDS
