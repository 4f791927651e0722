"""Schedules for programs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from actions.models import Command
from actions.schedules import due, moves
from actions.schedules.models import Schedule
from servers.models import Server
from tests.actions.making import NGINX, newest, service
from tests.actions.schedules.making import NIGHTLY, events, schedule
from tests.cast import program_of

pytestmark = pytest.mark.django_db
ASKED = {"agent": "srv-web-01", "cmd": "restart", "target": NGINX, "reason": "Weekly defragmentation", "cron": NIGHTLY}


@pytest.fixture
def program(operator: User) -> Client:
    return program_of(operator)


def post(client: Client, **changed: Any) -> Any:
    given = {name: value for name, value in {**ASKED, **changed}.items() if value is not None}
    return client.post("/api/schedules", given, "application/json")


def patch(client: Client, one: Schedule, **changed: Any) -> Any:
    return client.patch(f"/api/schedules/{one.uuid}", changed, "application/json")


def test_one_is_made_by_the_servers_clock(program: Client, web1: Server) -> None:
    service(web1)
    newest(web1, facts={"timeZone": "Europe/Bucharest"})
    answer = post(program)
    said = answer.json()
    assert answer.status_code == 201
    assert (said["timeZone"], said["cron"], said["state"]) == ("Europe/Bucharest", NIGHTLY, "on")
    assert said["madeBy"] == "oleg"
    assert len(said["next"]) == 5
    one = Schedule.objects.get()
    assert events(one) == ["schedule.made"]
    assert one.next_at is not None
    assert (one.next_at.hour, one.next_at.minute) in ((0, 30), (1, 30))


def test_a_single_run_says_its_moment(program: Client, web1: Server) -> None:
    service(web1)
    at = timezone.now() + timedelta(days=3)
    said = post(program, cron=None, onceAt=at.isoformat()).json()
    assert (said["cron"], len(said["next"])) == ("", 1)
    assert Schedule.objects.get().next_at == at


@pytest.mark.parametrize(
    ("changed", "field", "sentence"),
    [
        ({"cmd": "explode"}, "cmd", "must be one of start, stop, restart, reload"),
        ({"cmd": "signal", "target": "sleep[4711]"}, "cmd", "must be one of start, stop, restart, reload"),
        ({"target": "none.service"}, "target", "is no service that this server has reported"),
        ({"cron": "* * * * *"}, "cron", "Leave at least 5 minutes between two runs."),
        ({"cron": "x"}, "cron", "Write five fields: minute, hour, day of the month, month, day of the week."),
        ({"cron": None}, "onceAt", "Give one time, or a cron expression."),
        ({"onceAt": "2126-01-01T00:00:00Z"}, "onceAt", "Give one time, or a cron expression."),
        ({"cron": None, "onceAt": "2126-01-01T00:00:00Z"}, "onceAt", "Choose a time in the next 366 days."),
        ({"cron": None, "onceAt": "2020-01-01T00:00:00Z"}, "onceAt", "Choose a time that is not over yet."),
        ({"timeZone": "Nowhere/Else"}, "timeZone", "is no time zone that the hub knows"),
        ({"timeZone": "../../etc/passwd"}, "timeZone", "is no time zone that the hub knows"),
        ({"reason": "  "}, "reason", "Say why: the audit trail keeps it."),
        ({"deliverWithinSec": 1}, "deliverWithinSec", "must be from 10 to 2592000"),
        ({"args": {"x": 1}}, "args", "restart takes no arguments"),
    ],
)
def test_wrong_fields_are_named(program: Client, web1: Server, changed: Any, field: str, sentence: str) -> None:
    service(web1)
    answer = post(program, **changed)
    assert answer.status_code == 400
    assert answer.json()["fields"][field].startswith(sentence)
    assert not Schedule.objects.exists()


def test_what_the_owner_does_not_allow_is_refused(program: Client, web1: Server) -> None:
    service(web1, verbs=["start"])
    assert post(program).status_code == 409


def test_nobody_makes_one_outside_their_role_or_scope(
    viewer: User, outsider: User, program: Client, web1: Server
) -> None:
    service(web1)
    assert post(program_of(viewer)).status_code == 403
    assert post(program_of(outsider)).status_code == 404
    assert not Schedule.objects.exists()


def test_a_person_and_a_server_have_so_many_and_no_more(
    program: Client, web1: Server, web2: Server, operator: User, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    service(web1)
    service(web2)
    monkeypatch.setattr(moves, "PER_PERSON", 2)
    monkeypatch.setattr(moves, "PER_SERVER", 3)
    over = schedule(web1, operator, next_at=None)  # is over, and does not count
    assert over.state == "done"
    assert [post(program).status_code for _ in range(3)] == [201, 201, 409]
    ada = program_of(admin)
    assert [post(ada).status_code, post(ada).status_code, post(ada, agent="srv-web-02").status_code] == [201, 409, 201]


def test_they_are_listed_in_scope_and_page_by_page(
    program: Client, web1: Server, db1: Server, operator: User, outsider: User
) -> None:
    mine = [schedule(web1, operator) for _ in range(3)]
    schedule(db1, outsider)
    first = program.get("/api/schedules?limit=2").json()
    assert [one["id"] for one in first["schedules"]] == [str(mine[2].uuid), str(mine[1].uuid)]
    rest = program.get(f"/api/schedules?before={first['next']}").json()
    assert [one["id"] for one in rest["schedules"]] == [str(mine[0].uuid)]
    assert program.get("/api/schedules?agent=srv-db-01").status_code == 404
    assert "limit" in program.get("/api/schedules?limit=x").json()["fields"]


def test_one_is_shown_with_its_commands(program: Client, web1: Server, operator: User, outsider: User) -> None:
    service(web1)
    one = schedule(web1, operator)
    due.run()
    said = program.get(f"/api/schedules/{one.uuid}").json()
    assert [command["schedule"] for command in said["commands"]] == [str(one.uuid)]
    assert (said["lastOutcome"], len(said["next"])) == ("ran", 5)
    assert program.get("/api/commands").json()["commands"][0]["schedule"] == str(one.uuid)
    assert program_of(outsider).get(f"/api/schedules/{one.uuid}").status_code == 404
    assert program.get("/api/schedules/nonsense").status_code == 404


def test_a_change_makes_it_ones_own(program: Client, web1: Server, admin: User, operator: User) -> None:
    service(web1)
    one = schedule(web1, admin)
    said = patch(program, one, cron="0 5 * * *", timeZone="Europe/Bucharest").json()
    assert (said["cron"], said["timeZone"], said["madeBy"]) == ("0 5 * * *", "Europe/Bucharest", "oleg")
    assert said["reason"] == "Weekly memory defragmentation"
    one.refresh_from_db()
    assert one.made_by == operator
    assert events(one) == ["schedule.changed"]


def test_a_cron_gives_way_to_a_moment_and_back(program: Client, web1: Server, operator: User) -> None:
    service(web1)
    one = schedule(web1, operator)
    at = (timezone.now() + timedelta(hours=1)).isoformat()
    assert patch(program, one, onceAt=at).json()["cron"] == ""
    assert patch(program, one, cron=NIGHTLY).json()["onceAt"] is None


def test_pausing_and_resuming(program: Client, web1: Server, operator: User) -> None:
    service(web1)
    one = schedule(web1, operator)
    assert patch(program, one, enabled=False).json()["nextAt"] is None
    assert due.run() == 0
    assert patch(program, one, enabled=False, reason="Still").json()["state"] == "paused"
    assert patch(program, one, enabled=True).json()["state"] == "on"
    assert events(one) == ["schedule.disabled", "schedule.changed", "schedule.enabled"]


def test_a_wrong_change_changes_nothing(program: Client, web1: Server, operator: User) -> None:
    service(web1)
    one = schedule(web1, operator)
    assert patch(program, one, reason="Another", cron="x", enabled=False).status_code == 400
    one.refresh_from_db()
    assert (one.reason, one.enabled, events(one)) == ("Weekly memory defragmentation", True, [])


def test_deleting_keeps_the_commands(program: Client, web1: Server, operator: User, viewer: User) -> None:
    service(web1)
    one = schedule(web1, operator)
    due.run()
    address = f"/api/schedules/{one.uuid}"
    assert program_of(viewer).delete(address).status_code == 403
    assert program.delete(address).status_code == 204
    assert [program.delete(address).status_code, program.get(address).status_code] == [404, 404]
    assert Command.objects.get().schedule == one
    assert events(one)[-1] == "schedule.deleted"
