"""Silences for programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts.models import Silence
from servers.models import Server
from tests.alerts.opening import rule
from tests.alerts.quiet.making import silence
from tests.cast import program_of

pytestmark = pytest.mark.django_db
LIST = "/api/alerts/silences"


@pytest.fixture
def program(operator: User) -> Client:
    return program_of(operator)


def post(program: Client, address: str, **body: Any) -> Any:
    return program.post(address, body, content_type="application/json")


def later(hours: int = 1) -> str:
    return (timezone.now() + timedelta(hours=hours)).isoformat()


def test_making_one(program: Client, web1: Server) -> None:
    one = rule()
    answer = post(program, LIST, reason="Replaced", scope="group:web", rule=one.pk, endsAt=later())
    assert answer.status_code == 201
    said = answer.json()
    assert (said["state"], said["scope"], said["rule"], said["madeBy"]) == ("active", "group:web", one.pk, "oleg")
    assert program.get(f"{LIST}/{said['number']}").json() == said
    assert program.get(LIST).json() == {"silences": [said], "next": None}


def test_windows_tell_their_next_times(program: Client, web1: Server) -> None:
    said = post(
        program, LIST, reason="Patching", scope="group:web", cron=" 0 2 * * SUN ", durationSec=7200,
        timeZone="Europe/Bucharest",
    ).json()  # fmt: skip
    assert (said["cron"], len(said["next"]), said["endsAt"]) == ("0 2 * * SUN", 5, None)


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"reason": ""}, {"reason"}),
        ({"reason": 5}, {"reason"}),
        ({"scope": ""}, {"scope"}),
        ({"rule": 99_999}, {"rule"}),
        ({"endsAt": "2026"}, {"endsAt"}),
        ({"endsAt": None}, {"endsAt"}),
        ({"endsAt": None, "cron": "x", "timeZone": "y"}, {"cron", "timeZone", "durationSec"}),
    ],
)
def test_wrong_fields_are_named(program: Client, changed: dict[str, Any], fields: set[str]) -> None:
    body = {"reason": "Replaced", "scope": "group:web", "endsAt": later(), **changed}
    answer = post(program, LIST, **body)
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == fields
    assert not Silence.objects.exists()


def test_several_wrong_types_are_named_at_once(program: Client) -> None:
    answer = post(program, LIST, reason=5, scope=[], rule="x", startsAt="soon", durationSec=-1)
    assert set(answer.json()["fields"]) == {"reason", "scope", "rule", "startsAt", "durationSec"}


def test_another_end_and_the_end(program: Client, web1: Server) -> None:
    one = silence(scope="group:web")
    address, end = f"{LIST}/{one.pk}", later(3)
    answer = program.patch(address, {"endsAt": end}, content_type="application/json")
    assert answer.json()["endsAt"] == end.replace("+00:00", "Z")
    for body in ({}, {"endsAt": None}, {"endsAt": 5}):
        answer = program.patch(address, body, content_type="application/json")
        assert (answer.status_code, list(answer.json()["fields"])) == (400, ["endsAt"])
    assert post(program, f"{address}/end").json()["state"] == "over"
    assert post(program, f"{address}/end").status_code == 409
    assert program.patch(address, {"endsAt": end}, content_type="application/json").status_code == 409


def test_a_viewer_reads(viewer: User, web1: Server) -> None:
    one, program = silence(scope="group:web"), program_of(viewer)
    assert program.get(f"{LIST}/{one.pk}").json()["reason"] == one.reason
    assert post(program, LIST, reason="x", scope="group:web", endsAt=later()).status_code == 403
    assert post(program, f"{LIST}/{one.pk}/end").status_code == 403
    answer = program.patch(f"{LIST}/{one.pk}", {"endsAt": later()}, content_type="application/json")
    assert answer.status_code == 403


def test_another_scopes_is_not_found(outsider: User, web1: Server, db1: Server) -> None:
    one, program = silence(scope="group:web"), program_of(outsider)
    assert program.get(LIST).json()["silences"] == []
    assert program.get(f"{LIST}/{one.pk}").status_code == 404
    assert post(program, f"{LIST}/{one.pk}/end").status_code == 404
    everywhere = silence()
    assert program.get(f"{LIST}/{everywhere.pk}").status_code == 200
    assert post(program, f"{LIST}/{everywhere.pk}/end").status_code == 403


def test_nobody_without_a_role_gets_any(nobody: User) -> None:
    assert program_of(nobody).get(LIST).status_code == 403
    assert Client().get(LIST).status_code == 401


def test_the_list_comes_page_by_page_and_by_state(
    program: Client, web1: Server, django_assert_num_queries: Any
) -> None:
    made = [silence(scope="group:web") for _n in range(3)]
    over = silence(scope="group:web", ended_at=timezone.now())
    page = program.get(LIST, {"limit": 3}).json()
    assert [one["number"] for one in page["silences"]] == [over.pk, made[2].pk, made[1].pk]
    assert [one["number"] for one in program.get(LIST, {"before": page["next"]}).json()["silences"]] == [made[0].pk]
    assert len(program.get(LIST, {"state": "current"}).json()["silences"]) == 3
    assert [one["number"] for one in program.get(LIST, {"state": "over"}).json()["silences"]] == [over.pk]
    assert set(program.get(LIST, {"state": "x", "limit": "0"}).json()["fields"]) == {"state", "limit"}
