"""Every route for every kind of caller. What is expected follows from the access the view declares, and the routes come
from the resolver, so that a new one is tried without being named here; only its URL's parts may need an example.
"""

from __future__ import annotations

import re
import uuid

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from actions.models import Command
from actions.rollouts.models import Rollout, RolloutStep
from actions.schedules.models import Schedule
from alerts import states
from alerts.models import Incident, Rule, Silence
from alerts.rules import kinds
from pmonitor import access, checks
from pmonitor.checks import Route
from servers.models import EnrolmentKey, Server, Service
from tests.cast import agent_with, person, program_of, signed_in

NUMBER, UUID = 4711, "0190c3a2-7d4e-4b1c-9a55-2f6d8e7c1b00"
EXAMPLES = {  # of a URL's parts, all of them of web1
    "agent": "srv-web-01",
    "agent_id": "srv-web-01",
    "server": "srv-web-01",
    "command": UUID,
    "uuid": UUID,
    "read": UUID,
    "schedule": UUID,
    "number": str(NUMBER),
    "prefix": "pme_abcdefgh",
    "name": "a.service",
    "target": "a.service",
    "cmd": "restart",
    "verb": "restart",
    "move": "acknowledge",
    "rest": "nothing-here",
    "pid": str(NUMBER),
    "ticks": "815",
    "way": "end",
    "pk": str(NUMBER),
    "contact": str(NUMBER),
    "incident": UUID,
}
STRICTER = {
    ("servers:add", "post"): access.ADMIN,  # everybody may read how, admins make the key
    ("actions_api:rollouts", "post"): access.OPERATOR,  # viewers list them, operators start one
    ("actions_api:schedules", "post"): access.OPERATOR,  # viewers list them, operators make one
    ("contacts_api:list", "post"): access.ADMIN,  # operators list them, admins make one
    ("silences_api:list", "post"): access.OPERATOR,  # viewers list them, operators make one
    ("rules_api:rules", "post"): access.OPERATOR,  # viewers list them, operators make one
}
OF_ALL = {"prefix", "rest", "contact"}  # parts that are of no server
PART = re.compile(r"<(?:\w+:)?(\w+)>")
ROUTES = [route for route in checks.routes() if not route.path.startswith(tuple(checks.GUARDED_OTHERWISE))]
RANK = {None: -1, access.VIEWER: 0, access.OPERATOR: 1, access.ADMIN: 2}
IN, SIGN_IN, NO = "in", "sign in", "no"

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _examples(web1: Server, db1: Server, viewer: User) -> None:
    """What the examples name, on the server of the scope "web"."""
    now = timezone.now()
    Command.objects.create(
        pk=NUMBER, uuid=uuid.UUID(UUID), server=web1, cmd="restart", target="a.service", created_at=now, deliver_by=now
    )
    Service.objects.create(server=web1, name="a.service", active_state="active", verbs=["restart"])
    rollout = Rollout.objects.create(pk=NUMBER, cmd="restart", target="a.service", created_at=now, changed_at=now)
    RolloutStep.objects.create(rollout=rollout, server=web1, batch=1, place=0)
    Schedule.objects.create(
        uuid=UUID, server=web1, cmd="restart", target="a.service", cron="0 3 * * *", zone="UTC", made_at=now
    )
    rule = Rule.objects.create(name="Lost", kind=kinds.SILENT, severity=states.CRITICAL, made_at=now)
    times = {"began_at": now, "opened_at": now, "recorded_at": now}
    Incident.objects.create(
        pk=NUMBER, uuid=UUID, rule=rule, kind=rule.kind, severity=rule.severity, server=web1, **times
    )
    Silence.objects.create(pk=NUMBER, reason="Replaced", scope="group:web", starts_at=now, made_at=now)
    EnrolmentKey.objects.create(prefix="pme_abcdefgh", hash="0" * 64, expires_at=now)


def address(route: Route) -> str:
    return "/" + PART.sub(lambda part: EXAMPLES[part[1]], route.path)


def is_api(route: Route) -> bool:
    return hasattr(route.view, "cls")


def outcomes(route: Route, client: Client) -> dict[str, str]:
    """How GET and POST are answered: let in (whatever is then said), asked to sign in, or refused."""
    found = {}
    for method in ("get", "post"):
        ask = getattr(client, method)
        response = ask(address(route), headers={"Accept": "*/*"}, content_type="application/json")
        if response.status_code == 401 or response.get("Location", "").startswith("/login/?next="):
            found[method] = SIGN_IN
        elif response.status_code != 405:
            found[method] = NO if response.status_code == 403 else IN
    return found


def allowed(route: Route, method: str, role: str | None, signed: bool) -> set[str]:
    """The right outcomes."""
    declared = checks.access_of(route.view)
    if declared == access.PUBLIC:
        return {IN, SIGN_IN}  # registering and /metrics ask for their own keys
    if declared == access.AGENT or not signed:
        return {SIGN_IN}
    return {IN} if RANK[role] >= RANK[STRICTER.get((route.name, method), declared)] else {NO}


def check(route: Route, client: Client, role: str | None, signed: bool = True) -> None:
    found = outcomes(route, client)
    assert found
    for method, outcome in found.items():
        assert outcome in allowed(route, method, role, signed), (method, role, signed)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path or "/")
def test_each_role_is_let_in_or_not_as_the_view_says(
    route: Route, viewer: User, operator: User, admin: User, nobody: User
) -> None:
    assert checks.access_of(route.view) is not None
    people = {viewer: access.VIEWER, operator: access.OPERATOR, admin: access.ADMIN, nobody: None}
    check(route, Client(), None, signed=False)
    for user, role in people.items():
        check(route, signed_in(user), role)
        if is_api(route):
            check(route, program_of(user), role)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path or "/")
def test_an_agents_token_opens_nothing_for_people(route: Route, agent_token: str, other_agent_token: str) -> None:
    declared = checks.access_of(route.view)
    if declared in access.ROLES:
        assert set(outcomes(route, agent_with(agent_token)).values()) == {SIGN_IN}
    elif declared == access.AGENT:
        assert IN in outcomes(route, agent_with(agent_token)).values()
        assert set(outcomes(route, agent_with(other_agent_token)).values()) == {NO}


def test_signing_in_again_leads_back_to_the_page_not_to_its_fragment() -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/servers/web-01/?ps=mem#services-panel"}
    answer = Client().get("/servers/web-01/services/nginx.service/restart/", headers=headers)
    assert (answer.status_code, answer["HX-Redirect"]) == (401, "/login/?next=%2Fservers%2Fweb-01%2F%3Fps%3Dmem")


OF_A_SERVER = [
    route for route in ROUTES if checks.access_of(route.view) in access.ROLES and set(PART.findall(route.path)) - OF_ALL
]


@pytest.mark.parametrize("route", OF_A_SERVER, ids=lambda route: route.path)
def test_out_of_scope_is_as_if_it_were_not_there(route: Route) -> None:
    stranger = signed_in(person("strange", access.OPERATOR))
    outsider = signed_in(person("out", access.OPERATOR, Server.objects.get(agent_id="srv-db-01").group))  # type: ignore[arg-type]
    if checks.access_of(route.view) == access.ADMIN:
        return
    for client in (stranger, outsider):
        for method in (client.get, client.post):
            body = {"cmd": "restart", "target": "a.service", "verb": "restart"}
            status = method(address(route), body, content_type="application/json").status_code
            assert status in (404, 405), (method, status)
    assert Command.objects.count() == 1


def test_every_part_of_a_url_has_an_example() -> None:
    assert {part for route in ROUTES for part in PART.findall(route.path)} <= set(EXAMPLES)
