"""Choosing servers, seeing the plan and starting; and the API over all of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from actions.models import AuditEntry, Command, ProtectedUnit
from actions.rollouts import advance, start
from actions.rollouts.models import Rollout
from actions.rollouts.selection import Selection
from actions.rollouts.start import Confirmed
from pmonitor.problems import Problem
from servers.models import Server, ServerGroup, Service
from tests.actions.making import NGINX, service
from tests.actions.rollouts.making import WENT_WRONG, begun, fleet, obey, wanted
from tests.cast import enrolled, program_of

pytestmark = pytest.mark.django_db
ASK = {"cmd": "restart", "target": NGINX, "reason": "New TLS certificate", "pauseSec": 0}


@pytest.fixture
def servers(web_group: ServerGroup) -> list[Server]:
    made = fleet(web_group, 3)
    Server.objects.filter(pk=made[0].pk).update(labels={"env": "prod", "role": "web"})
    Server.objects.filter(pk=made[1].pk).update(labels={"env": "test"})
    Service.objects.filter(server=made[2]).update(active_state="failed")
    return made


def chosen(user: User, **by: Any) -> list[str]:
    made = start.planned(user, wanted(selection=Selection(**by)))
    return [one.server.agent_id for batch in made.batches for one in batch]


@pytest.mark.parametrize(
    ("by", "found"),
    [
        ({}, ["web-1", "web-2", "web-3"]),
        ({"group": "web"}, ["web-1", "web-2", "web-3"]),
        ({"group": "db"}, []),
        ({"label": "env=prod"}, ["web-1"]),
        ({"label": "env"}, ["web-1", "web-2"]),
        ({"name": "WEB-[12]"}, ["web-1", "web-2"]),
        ({"name": "*-3"}, ["web-3"]),
        ({"service_state": "failed"}, ["web-3"]),
        ({"service_state": "active", "label": "env=test"}, ["web-2"]),
        ({"servers": ("web-2",)}, ["web-2"]),
        ({"servers": ("web-2",), "label": "env=prod"}, ["web-1", "web-2"]),
        ({"without": ("web-1", "web-3")}, ["web-2"]),
    ],
)
def test_servers_are_chosen_by_every_filter(
    operator: User, servers: list[Server], by: dict[str, Any], found: list[str]
) -> None:
    assert chosen(operator, **by) == found


def test_only_what_is_in_scope_is_chosen(outsider: User, admin: User, servers: list[Server]) -> None:
    assert chosen(outsider) == []
    assert len(chosen(admin)) == 3
    with pytest.raises(Problem, match="no such server in your scope: web-1"):
        chosen(outsider, servers=("web-1",))


def test_who_cannot_be_told_is_left_out_and_named(
    operator: User, servers: list[Server], web_group: ServerGroup
) -> None:
    service(enrolled("closed", web_group)[0], verbs=[])
    enrolled("bare", web_group)
    made = start.planned(operator, wanted(selection=Selection(name="*", servers=("bare",))))
    assert (made.total, [s.agent_id for s in made.barred], [s.agent_id for s in made.lacking]) == (
        3, ["closed"], ["bare"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("count", "seen", "status"),
    [(3, None, 201), (2, None, 400), (None, None, 400), (3, "another", 409)],
)
def test_the_number_of_servers_and_the_plan_as_seen_must_be_right(
    operator: User, servers: list[Server], count: int | None, seen: str | None, status: int
) -> None:
    if status == 201:
        start.start(operator, wanted(), Confirmed("because", count, seen=seen))
        assert Rollout.objects.count() == 1
        return
    with pytest.raises(Problem) as raised:
        start.start(operator, wanted(), Confirmed("because", count, seen=seen))
    assert raised.value.status_code == status
    assert not Rollout.objects.exists()


def test_one_server_needs_no_number(operator: User, servers: list[Server]) -> None:
    start.start(operator, wanted(selection=Selection(servers=("web-1",))), Confirmed("because"))


def test_a_second_one_on_the_same_service_is_refused_until_the_first_is_over(
    operator: User, servers: list[Server]
) -> None:
    first = begun(operator, 3)
    some = wanted(selection=Selection(servers=("web-3",)))
    with pytest.raises(Problem, match=f"Rollout {first.pk} of this service is not over yet on web-3"):
        start.start(operator, some, Confirmed("because"))
    for server in servers:
        obey(server)
    start.start(operator, some, Confirmed("because"))


def test_a_protected_service_asks_for_its_name(operator: User, servers: list[Server]) -> None:
    ProtectedUnit.objects.create(pattern=NGINX)
    for typed in ("", "redis"):
        with pytest.raises(Problem) as raised:
            start.start(operator, wanted(), Confirmed("because", 3, typed))
        assert raised.value.fields.keys() == {"typed"}
    start.start(operator, wanted(), Confirmed("because", 3, "nginx"))
    advance.advance()
    assert Command.objects.count() == 1


def test_what_becomes_protected_on_the_way_halts_it(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3)
    ProtectedUnit.objects.create(pattern=NGINX)
    obey(servers[0])
    rollout.refresh_from_db()
    assert rollout.state == "halted"
    assert Command.objects.count() == 1


# The API


@pytest.fixture
def program(operator: User) -> Client:
    return program_of(operator)


def post(client: Client, path: str, body: dict[str, Any]) -> Any:
    return client.post(f"/api/{path}", body, "application/json")


def test_a_dry_run_tells_the_plan_and_touches_nothing(program: Client, servers: list[Server]) -> None:
    answer = post(program, "rollouts", {**ASK, "batch": 2, "dryRun": True})
    assert answer.status_code == 200
    assert answer.json()["batches"] == [["web-1", "web-2"], ["web-3"]]
    assert not Rollout.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_program_starts_follows_and_ends_one(program: Client, servers: list[Server]) -> None:
    begun_as = post(program, "rollouts", {**ASK, "count": 3})
    assert begun_as.status_code == 201, begun_as.content
    number = begun_as.json()["number"]
    assert program.get("/api/rollouts").json()["rollouts"][0]["number"] == number
    ended = post(program, f"rollouts/{number}/end", {"reason": "enough"}).json()
    assert (ended["state"], ended["waysOn"]) == ("ended", [])
    told = [move["event"] for move in program.get(f"/api/rollouts/{number}").json()["history"]]
    assert told == ["rollout.started", "rollout.ended"]


def test_retry_by_program_names_the_rollout_it_saw(program: Client, operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3)
    obey(servers[0], **WENT_WRONG)
    seen = program.get(f"/api/rollouts/{rollout.pk}").json()
    assert (seen["state"], seen["waysOn"], seen["counts"]["todo"]) == ("halted", ["retry", "skip", "end"], 2)
    assert seen["steps"][0]["sentence"] == "nginx did not restart on web-1"
    body = {"reason": "repaired", "moves": seen["moves"]}
    assert post(program, f"rollouts/{rollout.pk}/retry", body).json()["state"] == "running"
    assert post(program, f"rollouts/{rollout.pk}/retry", body).status_code == 409
    assert program.get("/api/commands").json()["commands"][0]["rollout"] == rollout.pk


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"cmd": "signal"}, "cmd"),
        ({"target": "a\u0007b"}, "target"),
        ({"batch": "0"}, "batch"),
        ({"batch": "200%"}, "batch"),
        ({"order": "up"}, "order"),
        ({"silent": "wait"}, "silent"),
        ({"pauseSec": -1}, "pauseSec"),
        ({"maxFailures": 0}, "maxFailures"),
        ({"serviceState": "odd"}, "serviceState"),
        ({"deliverWithinSec": 1}, "deliverWithinSec"),
        ({"reason": ""}, "reason"),
        ({"count": 2}, "count"),
        ({"servers": ["nowhere"]}, "servers"),
        ({"group": "nobody"}, "servers"),
        ({"servers": "web-1"}, "servers"),
    ],
)
def test_wrong_fields_are_named(program: Client, servers: list[Server], wrong: dict[str, Any], field: str) -> None:
    answer = post(program, "rollouts", {**ASK, "count": 3, **wrong})
    assert answer.status_code == 400
    assert field in answer.json()["fields"]
    assert not Rollout.objects.exists()


def test_viewers_look_and_do_not_touch(viewer: User, operator: User, servers: list[Server]) -> None:
    rollout, program = begun(operator, 3), program_of(viewer)
    assert program.get(f"/api/rollouts/{rollout.pk}").status_code == 200
    assert post(program, "rollouts", {**ASK, "count": 3}).status_code == 403
    assert post(program, f"rollouts/{rollout.pk}/end", {"reason": "x"}).status_code == 403


def test_a_rollout_beyond_somebodys_scope_is_not_there(
    operator: User, admin: User, servers: list[Server], db1: Server
) -> None:
    service(db1)
    rollout, program = begun(admin, 4), program_of(operator)  # one of its servers is not the operator's
    assert program.get("/api/rollouts").json()["rollouts"] == []
    assert program.get(f"/api/rollouts/{rollout.pk}").status_code == 404
    assert post(program, f"rollouts/{rollout.pk}/end", {"reason": "x"}).status_code == 404
    assert not AuditEntry.objects.visible_to(operator).filter(rollout=rollout).exists()
    assert AuditEntry.objects.visible_to(admin).filter(rollout=rollout).exists()
    assert post(program, f"rollouts/{rollout.pk}/explode", {"reason": "x"}).status_code == 404


def test_commands_stay_within_the_limit_of_one_request(program: Client, servers: list[Server], settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "actions": (1, 60)}
    assert post(program, "rollouts", {**ASK, "count": 3, "batch": "100%"}).status_code == 201
    assert post(program, "rollouts", {**ASK, "count": 3}).status_code == 429
    assert Command.objects.count() == 0, "they are asked for when the start commits"
