"""Enrolment keys, and POST /api/agents/register."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from servers import enrolment, states
from servers.models import EnrolmentKey, Server, ServerGroup
from tests.cast import agent_with
from tests.servers.announced import Announced, announced  # noqa: F401
from tests.servers.reports import post, report
from tests.servers.test_ingest_races import at_once

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

pytestmark = pytest.mark.django_db


def register(key: str, client: Client | None = None, **facts: Any) -> Answer:
    body = {"enrolmentKey": key, "agentId": "srv-new-01", "hostname": "new-one", "fingerprint": "f" * 64} | facts
    return (client or Client()).post("/api/agents/register", json.dumps(body), content_type="application/json")


def status(key: str, **facts: Any) -> int:
    return register(key, **facts).status_code


def body_of(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.content)
    return found


def test_a_key_is_traded_for_a_token_that_works(settings: LazySettings, web_group: ServerGroup) -> None:
    answer = register(enrolment.new_key("for new-one", group=web_group))
    assert answer.status_code == 201
    assert body_of(answer).keys() == {"agentId", "token", "intervalSec"}
    assert body_of(answer)["intervalSec"] == settings.REPORT_INTERVAL_SEC
    server = Server.objects.get(agent_id="srv-new-01")
    assert (server.hostname, server.group, server.state) == ("new-one", web_group, states.WAITING)
    token = body_of(answer)["token"]
    assert token not in json.dumps(list(Server.objects.values("token_hash", "token_prefix")))
    assert post(agent_with(token), report(agentId="srv-new-01"), "srv-new-01").status_code == 202


def test_a_key_is_kept_as_a_hash_only(db: None) -> None:
    key = enrolment.new_key()
    row = EnrolmentKey.objects.get()
    assert key.startswith(row.prefix)
    assert key[12:] not in row.hash
    assert len(row.hash) == 64


@pytest.mark.parametrize("wrong", ["nonsense", "", "pme_", "é" * 12])
def test_an_unknown_key_is_401(wrong: str) -> None:
    enrolment.new_key()
    answer = register(wrong or "x")
    assert answer.status_code == 401
    assert "not known" in body_of(answer)["error"]
    assert answer["WWW-Authenticate"]
    assert not Server.objects.exists()


def test_a_key_that_is_right_in_its_prefix_only_is_401() -> None:
    key = enrolment.new_key()
    assert register(key[:-1] + ("A" if key[-1] != "A" else "B")).status_code == 401
    assert EnrolmentKey.objects.get().uses_left == 1


def test_an_expired_key_is_401() -> None:
    key = enrolment.new_key()
    EnrolmentKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = register(key)
    assert (answer.status_code, "expired" in body_of(answer)["error"]) == (401, True)


def test_a_used_up_key_is_401() -> None:
    key = enrolment.new_key(uses=2)
    assert [register(key, agentId=f"srv-{n}").status_code for n in range(3)] == [201, 201, 401]


def test_the_same_machine_again_gets_a_new_token_and_the_old_one_ends() -> None:
    key = enrolment.new_key(uses=2)
    first, second = (body_of(register(key))["token"] for _ in range(2))
    assert first != second
    assert post(agent_with(first), report(agentId="srv-new-01"), "srv-new-01").status_code == 401
    assert post(agent_with(second), report(agentId="srv-new-01"), "srv-new-01").status_code == 202
    assert Server.objects.count() == 1


@pytest.mark.parametrize(("mine", "theirs"), [("a", "b"), ("a", ""), ("", "b"), ("", "")])
def test_another_machine_may_not_take_an_id(mine: str, theirs: str) -> None:
    key = enrolment.new_key(uses=2)
    token = body_of(register(key, fingerprint=mine))["token"]
    answer = register(key, fingerprint=theirs)
    assert answer.status_code == 409
    assert "another machine" in body_of(answer)["error"]
    assert EnrolmentKey.objects.get().uses_left == 1  # a refused one uses nothing up
    assert post(agent_with(token), report(agentId="srv-new-01"), "srv-new-01").status_code == 202


def test_a_known_machine_keeps_its_token_unless_it_calls_from_its_networks() -> None:
    key = enrolment.new_key(uses=2)
    token = body_of(register(key))["token"]
    Server.objects.update(allowed_networks=["192.0.2.0/24"])
    assert register(key).status_code == 403
    assert register(key, Client(REMOTE_ADDR="192.0.2.7")).status_code == 201
    Server.objects.update(allowed_networks=[])
    assert post(agent_with(token), report(agentId="srv-new-01"), "srv-new-01").status_code == 401


@pytest.mark.django_db(transaction=True)
def test_of_two_who_race_for_the_last_use_one_wins() -> None:
    key = enrolment.new_key()
    racers = [partial(status, key, agentId=f"srv-{n}") for n in range(4)]
    assert sorted(map(str, at_once(racers))) == ["201", "401", "401", "401"]
    assert Server.objects.count() == 1
    assert EnrolmentKey.objects.get().uses_left == 0


@pytest.mark.django_db(transaction=True)
def test_of_machines_that_race_for_one_id_one_wins() -> None:
    key = enrolment.new_key(uses=4)
    racers = [partial(status, key, fingerprint=f"machine-{n}") for n in range(4)]
    assert sorted(map(str, at_once(racers))) == ["201", "409", "409", "409"]
    assert EnrolmentKey.objects.get().uses_left == 3


@pytest.mark.django_db(transaction=True)
def test_pages_are_told(announced: Announced) -> None:  # noqa: F811
    key = enrolment.new_key()
    assert announced() == set()
    register(key)
    server = Server.objects.get()
    assert announced() == {"fleet:all", f"row:{server.pk}", f"enrol:{key[:12]}"}
    assert server.enrolled_with == key[:12]


@pytest.mark.parametrize(
    ("facts", "wrong"),
    [
        ({"agentId": ""}, "agentId"),
        ({"agentId": "-x"}, "agentId"),
        ({"agentId": "a/b"}, "agentId"),
        ({"agentId": "x\n"}, "agentId"),
        ({"agentId": "x" * 65}, "agentId"),
        ({"agentId": 5}, "agentId"),
        ({"hostname": ""}, "hostname"),
        ({"hostname": "x" * 256}, "hostname"),
        ({"hostname": None}, "hostname"),
        ({"fingerprint": "f" * 65}, "fingerprint"),
        ({"enrolmentKey": ["x"]}, "enrolmentKey"),
    ],
)
def test_a_wrong_field_is_named_and_uses_nothing_up(facts: dict[str, Any], wrong: str) -> None:
    answer = register(enrolment.new_key(), **facts)
    assert (answer.status_code, list(body_of(answer)["fields"])) == (400, [wrong])
    assert EnrolmentKey.objects.get().uses_left == 1


def test_every_wrong_field_at_once(client: Client) -> None:
    answer = client.post("/api/agents/register", "{}", content_type="application/json")
    assert (answer.status_code, set(answer.json()["fields"])) == (400, {"enrolmentKey", "agentId", "hostname"})


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_post(client: Client, method: str) -> None:
    assert getattr(client, method)("/api/agents/register").status_code == 405


def test_too_many_tries_are_429(settings: LazySettings) -> None:
    settings.RATE_LIMITS = {"register": (3, 60)}
    answers = [register("pme_wrong") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert 1 <= int(answers[-1]["Retry-After"]) <= 60


class TestCommand:
    """manage.py enrolment_key."""

    def run(self, *options: str) -> str:
        out = StringIO()
        call_command("enrolment_key", *options, stdout=out)
        return out.getvalue()

    def test_it_prints_the_key_alone(self) -> None:
        printed = self.run("--note", "rack 4", "--uses", "3", "--hours", "2", "--group", "rack 4")
        assert printed.count("\n") == 1
        row = EnrolmentKey.objects.get()
        assert (row.note, row.uses_left, row.group and row.group.name) == ("rack 4", 3, "rack 4")
        assert abs(row.expires_at - timezone.now() - timedelta(hours=2)) < timedelta(minutes=1)
        assert register(printed.strip()).status_code == 201
        assert Server.objects.get().group == row.group

    @pytest.mark.parametrize("wrong", [("--uses", "0"), ("--hours", "0"), ("--hours", "9000"), ("--note", "x" * 201)])
    def test_it_refuses_what_cannot_be(self, wrong: tuple[str, str]) -> None:
        with pytest.raises(CommandError, match=wrong[0]):
            self.run(*wrong)
        assert not EnrolmentKey.objects.exists()
