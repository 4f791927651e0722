"""Protected services, the last copy of a group, and a world that moved while the operator looked."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client

from actions import copies, protection
from actions.ask import ask
from actions.models import AuditEntry, Command, ProtectedUnit
from pmonitor.problems import Problem
from servers.models import Server
from servers.states import SILENT
from tests.actions.making import NGINX, service
from tests.actions.pages import CONFIRM, text

pytestmark = pytest.mark.django_db
SSH = "ssh.service"
MIGRATION = import_module("actions.migrations.0003_protected_units")
GIVEN = {"reason": "New key", "within": "60", "active_state": "active", "main_pid": "123", "start_ticks": "4711"}


@pytest.fixture(autouse=True)
def as_from_the_start(db: None) -> None:
    """What the migration made, which transactional tests before these have emptied away."""
    MIGRATION.protect(apps, None)


@pytest.mark.parametrize(
    ("cmd", "name", "kind"),
    [
        ("stop", "ssh.service", "access"),
        ("restart", "postgresql@16-main.service", "database"),
        ("restart", "NetworkManager.service", "network"),
        ("stop", "pmonitor-agent.service", "hub"),
        ("start", "ssh.service", None),
        ("reload", "ssh.service", None),
        ("restart", "nginx.service", None),
        ("restart", "SSH.service", None),
        ("restart", "sshd", "access"),
        ("stop", "postgresql", "database"),
    ],
)
def test_what_is_protected_from_the_start(cmd: str, name: str, kind: str | None) -> None:
    assert protection.kind_of(cmd, name) == kind


def test_the_list_can_be_changed(web1: Server) -> None:
    ProtectedUnit.objects.create(pattern="nginx*")
    assert protection.kind_of("stop", NGINX) == "other"
    ProtectedUnit.objects.all().delete()
    assert protection.kind_of("stop", SSH) is None


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, {"typed", "reason"}),
        ({"reason": "because"}, {"typed"}),
        ({"typed": "ssh"}, {"reason"}),
        ({"typed": "sshd", "reason": "because"}, {"typed"}),
        ({"typed": "SSH", "reason": "because"}, {"typed"}),
    ],
)
def test_without_its_name_and_a_reason_nothing_is_queued(
    web1: Server, operator: User, given: dict[str, Any], wrong: set[str]
) -> None:
    service(web1, SSH)
    with pytest.raises(Problem) as refused:
        ask(operator, web1, "restart", SSH, **given)
    assert refused.value.status_code == 400
    assert set(refused.value.fields) == wrong
    assert not Command.objects.exists()
    assert AuditEntry.objects.get().event == "command.denied"


@pytest.mark.parametrize("typed", ["ssh", "ssh.service", " ssh "])
def test_with_both_it_is(web1: Server, operator: User, typed: str) -> None:
    service(web1, SSH)
    assert ask(operator, web1, "restart", SSH, typed=typed, reason="because").command.state == "queued"


def test_a_program_gives_the_name_too(as_operator: Client, web1: Server) -> None:
    service(web1, SSH)
    body = {"cmd": "restart", "target": SSH, "reason": "New key"}
    address = f"/api/actions/{web1.agent_id}"
    refused = as_operator.post(address, body, content_type="application/json")
    assert (refused.status_code, set(refused.json()["fields"])) == (400, {"typed"})
    taken = as_operator.post(address, {**body, "typed": "ssh"}, content_type="application/json")
    assert taken.status_code == 201


def test_the_dialog_asks_for_the_name_and_says_why(as_operator: Client, web1: Server) -> None:
    service(web1, SSH)
    shown = text(as_operator.get(CONFIRM.replace(NGINX, SSH)))
    assert "<b>Protected service.</b> People reach this server through it." in shown
    assert 'data-must="ssh"' in shown
    again = as_operator.post(CONFIRM.replace(NGINX, SSH), {**GIVEN, "typed": "nginx"})
    assert again.status_code == 400
    assert "must be the name of the protected service: ssh.service" in again.content.decode()
    assert 'value="New key"' in again.content.decode()
    assert not Command.objects.exists()
    done = as_operator.post(CONFIRM.replace(NGINX, SSH), {**GIVEN, "typed": "ssh"})
    assert done.status_code == 302
    assert Command.objects.get().expect == {"activeState": "active", "mainPid": 123, "startTicks": 4711}


def test_what_is_not_protected_asks_for_no_name(as_operator: Client, web1: Server) -> None:
    service(web1)
    shown = text(as_operator.get(CONFIRM))
    assert "Protected" not in shown
    assert 'name="typed"' not in shown


@pytest.mark.parametrize(
    ("seen", "now", "said"),
    [
        ({}, {"active_state": "failed"}, "it was active and is failed now"),
        ({"active_state": "inactive", "main_pid": ""}, {}, "it was inactive and is active now"),
        ({}, {"main_pid": 456, "start_ticks": 9001}, "its main process is PID 456 now"),
        ({}, {"start_ticks": 9001}, "its main process is PID 123 now"),
        ({}, {"active_state": "activating"}, ""),
        ({"active_state": "nonsense"}, {}, ""),
        ({"active_state": ""}, {}, ""),
    ],
)
def test_a_service_that_moved_meanwhile_is_shown_again(
    as_operator: Client, web1: Server, seen: dict[str, str], now: dict[str, Any], said: str
) -> None:
    service(web1, **now)
    answer = as_operator.post(CONFIRM, {**GIVEN, **seen})
    assert answer.status_code == (409 if said else 302)
    assert Command.objects.count() == (0 if said else 1)
    if said:
        assert f"{said}. Nothing was done." in answer.content.decode()
        fields = {name: str(now.get(name, old)) for name, old in (("main_pid", 123), ("active_state", "active"))}
        for name, value in fields.items():
            assert f'name="{name}" value="{value}"' in answer.content.decode(), (
                "what is carried now is what is shown now"
            )


def test_the_last_copy_of_its_group_is_named(as_operator: Client, web1: Server, web2: Server) -> None:
    one, other = service(web1), service(web2, active_state="failed")
    assert str(copies.of(one, "stop")) == "None of its other copies runs: it is the last of 2 in the group web."
    assert "it is the last of 2 in the group web." in text(as_operator.get(CONFIRM))
    assert copies.of(other, "restart") is None, "it does not run"
    assert copies.of(one, "start") is None
    type(other).objects.update(active_state="active")
    assert str(copies.of(one, "stop")) == "1 other copy runs in the group web."
    Server.objects.filter(pk=web2.pk).update(state=SILENT)
    found = copies.of(one, "stop")
    assert found
    assert found.is_last, "what a silent server last said counts for nothing"


def test_a_service_without_copies_says_nothing_of_them(web1: Server, db1: Server) -> None:
    one = service(web1)
    service(db1)
    assert copies.of(one, "stop") is None
