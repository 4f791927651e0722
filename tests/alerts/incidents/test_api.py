"""Incidents for programs: list, look at, and what people do with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts import states
from alerts.incidents import wire
from alerts.models import Incident
from alerts.rules import kinds
from servers.models import Server, ServerGroup
from tests.alerts.opening import close_all, farm, lines, open_all, opened, opening, rule
from tests.cast import program_of

pytestmark = pytest.mark.django_db
LIST = "/api/alerts/incidents"


@pytest.fixture
def program(operator: User) -> Client:
    return program_of(operator)


@pytest.fixture
def incident(web1: Server) -> Incident:
    return opened(rule("A service failed", kinds.FAILED), web1, "nginx.service", result="exit-code", exit=1)


def post(program: Client, one: Incident, move: str, **body: Any) -> Any:
    return program.post(f"{LIST}/{one.uuid}/{move}", body, content_type="application/json")


def ids(answer: Any) -> list[str]:
    return [one["id"] for one in answer.json()["incidents"]]


def test_one_with_its_timeline(program: Client, incident: Incident) -> None:
    said = program.get(f"{LIST}/{incident.uuid}").json()
    assert (said["title"], said["agent"], said["state"]) == ("nginx.service failed", "srv-web-01", "open")
    assert said["facts"] == {"result": "exit-code", "exit": 1}
    assert [line["kind"] for line in said["timeline"]] == [states.OPENED]
    assert (said["members"], said["notifications"], said["capsule"], said["partOf"]) == ([], [], None, None)
    (listed,) = program.get(LIST).json()["incidents"]
    assert listed.items() <= said.items()


def test_the_list_is_filtered(program: Client, web1: Server, web2: Server) -> None:
    severe, mild = rule(), rule("Mild", severity=states.WARNING)
    one, other = opened(severe, web1), opened(mild, web2)
    close_all([opened(mild, web1)])
    for query, count in [
        ({}, 3), ({"state": "live"}, 2), ({"state": "closed"}, 1), ({"state": "open", "severity": "warning"}, 1),
        ({"rule": str(severe.pk)}, 1), ({"server": "srv-web-01"}, 2), ({"server": "srv-web-01", "state": "live"}, 1),
    ]:  # fmt: skip
        assert len(ids(program.get(LIST, query))) == count, query
    assert ids(program.get(LIST, {"before": str(other.uuid)})) == [str(one.uuid)]
    page = program.get(LIST, {"limit": 2}).json()
    assert ids(program.get(LIST, {"before": page["next"]})) == [str(one.uuid)]


def test_wrong_filters_are_named(program: Client) -> None:
    answer = program.get(LIST, {"state": "x", "severity": "y", "rule": "z", "limit": "501", "before": "x"})
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == {"state", "severity", "rule", "limit", "before"}
    for query in ({"server": "none"}, {"before": str(uuid4())}, {"server": "\0"}):
        assert program.get(LIST, query).status_code == 404


def test_a_list_is_a_few_queries(program: Client, web1: Server, django_assert_num_queries: Any) -> None:
    one = rule()
    for n in range(9):
        opened(one, web1, f"{n}.service")
    program.get(LIST)
    with django_assert_num_queries(2):  # who asks, the list
        assert len(ids(program.get(LIST))) == 9


def test_every_move_says_the_incident_as_it_is_then(program: Client, incident: Incident, operator: User) -> None:
    assert post(program, incident, "acknowledge").json()["acknowledgedBy"] == "oleg"
    assert post(program, incident, "unacknowledge").json()["state"] == "open"
    assert post(program, incident, "comment", text="Looking").json()["timeline"][-1]["text"] == "Looking"
    assert post(program, incident, "assign", to="oleg").json()["assignedTo"] == "oleg"
    assert post(program, incident, "assign", to=None).json()["assignedTo"] is None
    assert post(program, incident, "snooze", forSec=3600).json()["snoozedUntil"] is not None
    assert post(program, incident, "wake").json()["snoozedUntil"] is None
    until = (timezone.now() + timedelta(days=1)).isoformat()
    assert post(program, incident, "snooze", until=until).json()["snoozedUntil"] == until.replace("+00:00", "Z")
    said = post(program, incident, "close", reason="Known").json()
    assert (said["state"], said["closeReason"], said["snoozedUntil"]) == ("closed", "by hand", None)
    assert said["timeline"][-1]["text"] == "Known"


def test_acknowledging_needs_no_body(program: Client, incident: Incident) -> None:
    answer = program.post(f"{LIST}/{incident.uuid}/acknowledge", content_type="application/json")
    assert answer.json()["state"] == "acknowledged"


@pytest.mark.parametrize(
    ("move", "body", "fields"),
    [
        ("comment", {}, {"text"}),
        ("comment", {"text": "x" * 2_001}, {"text"}),
        ("comment", {"text": 5}, {"text"}),
        ("assign", {"to": "nobody-of-this-name"}, {"to"}),
        ("assign", {"to": "otto"}, {"to"}),
        ("assign", {"to": "\0"}, {"to"}),
        ("snooze", {}, {"until"}),
        ("snooze", {"forSec": 60}, {"until"}),
        ("snooze", {"forSec": 3_600, "until": "2027-01-01T00:00:00Z"}, {"until"}),
        ("snooze", {"forSec": 2**31 - 1}, {"until"}),
        ("snooze", {"until": "soon"}, {"until"}),
        ("close", {"reason": "x" * 201}, {"reason"}),
        ("snooze", {"until": "soon", "forSec": "x", "text": 5}, {"until", "forSec", "text"}),
    ],
)
def test_a_wrong_field_is_named_and_nothing_moves(
    program: Client, incident: Incident, outsider: User, move: str, body: dict[str, Any], fields: set[str]
) -> None:
    answer = post(program, incident, move, **body)
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == fields
    assert lines(incident) == [states.OPENED]


def test_the_schema_says_how_long_a_comment_may_be(program: Client, incident: Incident) -> None:
    shape = msgspec.json.schema_components([wire.Move])[1]["Move"]["properties"]
    for move, field in (("comment", "text"), ("close", "reason")):
        most = shape[field]["maxLength"]
        assert post(program, incident, move, **{field: "x" * (most + 1)}).status_code == 400
        assert post(program, incident, move, **{field: "x" * most}).status_code == 200


def test_who_was_faster_is_said(program: Client, incident: Incident, admin: User) -> None:
    post(program_of(admin), incident, "acknowledge")
    answer = post(program, incident, "acknowledge")
    assert (answer.status_code, answer.json()["error"]) == (409, "ada has acknowledged it already.")


def test_a_viewer_reads_and_moves_nothing(viewer: User, incident: Incident) -> None:
    program = program_of(viewer)
    assert program.get(f"{LIST}/{incident.uuid}").status_code == 200
    for move in ("acknowledge", "comment", "close"):
        assert post(program, incident, move, text="x").status_code == 403


def test_another_scopes_is_not_there(outsider: User, incident: Incident, db1: Server) -> None:
    program = program_of(outsider)
    assert ids(program.get(LIST)) == []
    assert program.get(f"{LIST}/{incident.uuid}").status_code == 404
    assert post(program, incident, "acknowledge").status_code == 404
    assert program.get(LIST, {"server": "srv-web-01"}).status_code == 404


def test_what_is_not_there(program: Client, incident: Incident) -> None:
    assert program.get(f"{LIST}/x").json()["error"] == "There is no such incident: its id is a UUID."
    assert post(program, incident, "explode").status_code == 404
    assert program.post(LIST).status_code == 405
    assert program.get(f"{LIST}/{incident.uuid}/acknowledge").status_code == 405


def test_moves_are_limited(program: Client, incident: Incident, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "actions": (1, 60)}
    assert post(program, incident, "comment", text="x").status_code == 200
    assert post(program, incident, "comment", text="x").status_code == 429


def test_of_many_servers_one_sees_ones_own_and_how_many_more(
    program: Client, outsider: User, web_group: ServerGroup, db1: Server
) -> None:
    lost, mine = rule(), farm(5, web_group)
    open_all([opening(lost, server) for server in [*mine, db1]])
    (listed,) = program.get(LIST).json()["incidents"]
    assert (listed["agent"], listed["servers"]) == (None, 6)
    said = program.get(f"{LIST}/{listed['id']}").json()
    assert {member["agent"] for member in said["members"]} == {server.agent_id for server in mine}
    assert said["membersElsewhere"] == 1
    text = program.get(f"{LIST}/{listed['id']}").content.decode()
    assert "srv-db-01" not in text
    (member,) = program_of(outsider).get(LIST, {"server": "srv-db-01"}).json()["incidents"]
    assert member["partOf"] == listed["id"]
