"""Rules for programs."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts.models import Rule
from alerts.rules import api_docs, changes
from servers.models import Server
from tests.actions.making import service
from tests.alerts.rules.making import FAILED, MEMORY, contact, events, incident, rule
from tests.cast import program_of

pytestmark = pytest.mark.django_db
RULES = "/api/alerts/rules"
ASKED: dict[str, Any] = {
    "name": "Memory high on web", "kind": "reading", "params": {"metric": "mem"}, "limit": 90, "clearLimit": 85,
    "forSec": 300, "scope": "group:web",
}  # fmt: skip


@pytest.fixture
def program(operator: User) -> Client:
    return program_of(operator)


def send(client: Client, method: str, path: str = "", /, **body: Any) -> Any:
    return getattr(client, method)(f"{RULES}{path}", body, "application/json")


def test_one_is_made_and_read(program: Client) -> None:
    ops = contact()
    remedy = {"cmd": "restart", "target": "php.service", "most": 3}
    answer = send(program, "post", **ASKED, contacts=[ops.pk], remedy=remedy, k=2, n=3)
    assert answer.status_code == 201
    said = answer.json()
    assert said == program.get(f"{RULES}/{said['id']}").json()
    assert (said["limit"], said["clearLimit"], said["contacts"], said["k"], said["n"]) == (90.0, 85.0, [ops.pk], 2, 3)
    assert said["params"] == {"metric": "mem", "below": False}
    assert said["remedy"] == {**remedy, "withinSec": 3600, "cooldownSec": 300, "protected": False}
    assert said["sentence"].startswith(
        "memory used above 90% in 2 of the last 3 samples for 5 min; restarts php.service"
    )
    assert (said["enabled"], said["version"], said["madeBy"], said["lastFiredAt"]) == (True, 1, "oleg", None)
    assert events(MEMORY.name) == ["rule.made"]


def test_a_process_that_is_missing_needs_no_limit(program: Client) -> None:
    given = {"name": "cron is there", "kind": "process_missing", "params": {"by": "name", "pattern": "cron"}}
    answer = send(program, "post", **given, severity="warning", scope="group:web")
    assert (answer.status_code, answer.json()["limit"]) == (201, 1.0)
    assert "limit" in send(program, "post", **ASKED | {"limit": None}).json()["fields"]


@pytest.mark.parametrize("asked", [api_docs.ASKED, api_docs.SERVICE], ids=["reading", "service"])
def test_the_examples_of_the_docs_work(admin: User, asked: dict[str, Any]) -> None:
    first, second = contact("first"), contact("second")
    given = {**asked, "contacts": [first.pk]}
    given |= {"escalateTo": [second.pk]} if "escalateTo" in asked else {}
    answer = send(program_of(admin), "post", **given)
    assert answer.status_code == 201
    assert set(answer.json()) == set(api_docs.WHOLE)


def test_what_is_left_out_is_as_with_a_new_rule(program: Client, operator: User) -> None:
    one = rule(operator, severity="critical", k=2, n=3)
    said = send(program, "put", f"/{one.pk}", **ASKED).json()
    assert (said["severity"], said["k"], said["n"], said["version"]) == ("warning", None, None, 2)


def test_a_part_is_changed(program: Client, operator: User) -> None:
    one = rule(operator, k=2, n=3, remedy_cmd="restart", remedy_target="a.service")
    said = send(program, "patch", f"/{one.pk}", limit=95, k=None, n=None, remedy=None).json()
    assert (said["limit"], said["clearLimit"], said["k"], said["remedy"]) == (95.0, 85.0, None, None)
    assert send(program, "patch", f"/{one.pk}", enabled=False).json()["enabled"] is False
    assert events(MEMORY.name) == ["rule.made", "rule.changed", "rule.changed"]
    assert send(program, "patch", f"/{one.pk}").json()["enabled"] is False  # nothing is asked for
    assert len(events(MEMORY.name)) == 3


def test_a_change_on_top_of_somebody_elses_is_refused(program: Client, operator: User, admin: User) -> None:
    one = rule(operator)
    stamp = program.get(f"{RULES}/{one.pk}").json()["stamp"]
    assert send(program, "patch", f"/{one.pk}", seen=stamp, limit=91).status_code == 200
    for method, body in (("patch", {"limit": 99}), ("put", ASKED)):
        answer = send(program, method, f"/{one.pk}", seen=stamp, **body)
        assert answer.status_code == 409
        assert "Somebody changed this rule" in answer.json()["error"]
    assert Rule.objects.get().limit == 91


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        ({"limit": 200}, {"limit"}),
        ({"limit": "90"}, {"limit"}),
        ({"limit": None}, {"limit"}),
        ({"name": 7, "forSec": "x"}, {"name", "forSec"}),
        ({"params": {"metric": "heat"}, "severity": "loud"}, {"params.metric", "severity"}),
        ({"contacts": [0]}, {"contacts[0]"}),
        ({"contacts": [2**62]}, {"contacts"}),
        ({"remedy": {"cmd": "restart", "target": "a.service", "most": 0}}, {"remedy.most"}),
        ({"remedy": {"cmd": "restart", "target": "a.service", "protected": True}}, {"remedy.protected"}),
        ({"scope": ""}, {"scope"}),
        ({"forSec": 10**12}, {"forSec"}),
        ({"escalateAfterSec": 600}, {"escalateTo"}),
    ],
)
def test_a_wrong_field_is_named(program: Client, operator: User, changed: dict[str, Any], fields: set[str]) -> None:
    answer = send(program, "post", **{**ASKED, **changed})
    assert answer.status_code == 400
    assert set(answer.json()["fields"]) == fields
    one = rule(operator, name="Another")
    for method in ("put", "patch"):
        assert set(send(program, method, f"/{one.pk}", **{**ASKED, **changed}).json()["fields"]) == fields
    assert events("Another") == ["rule.made"]


def test_a_remedy_for_what_no_server_has_is_saved_with_a_warning(program: Client, web1: Server, db1: Server) -> None:
    service(db1, "php.service")
    asked = {**ASKED, "remedy": {"cmd": "restart", "target": "php.service"}}
    said = send(program, "post", **asked).json()
    assert list(said["warnings"]) == ["remedy.target"]
    assert "php.service" in said["warnings"]["remedy.target"]
    assert program.get(f"{RULES}/{said['id']}").json()["warnings"] == said["warnings"]
    service(web1, "php.service")
    assert program.get(f"{RULES}/{said['id']}").json()["warnings"] == {}


def test_several_wrong_types_are_named_at_once(program: Client) -> None:
    given = {"name": 7, "enabled": "x", "k": "two", "remedy": {"most": "x", "protected": 1}}
    fields = send(program, "post", **{**ASKED, **given}).json()["fields"]
    assert set(fields) == {"name", "enabled", "k", "remedy.most", "remedy.protected"}
    assert fields["enabled"] == 'expected true or false, got "x"'


def test_another_rules_name_is_refused(program: Client, operator: User) -> None:
    rule(operator)
    assert set(send(program, "post", **ASKED).json()["fields"]) == {"name"}


def test_they_are_listed_by_name_and_filtered(program: Client, operator: User, web1: Server) -> None:
    one = rule(operator)
    changes.switch(operator, rule(operator, FAILED, severity="critical", name="A"), False)
    incident(one, web1, days_ago=3)

    def names(**query: str) -> list[str]:
        return [said["name"] for said in program.get(RULES, query).json()["rules"]]

    assert names() == ["A", MEMORY.name]
    assert names(kind="reading") == names(enabled="true") == names(severity="warning") == [MEMORY.name]
    assert names(enabled="false") == names(severity="critical") == ["A"]
    assert program.get(RULES).json()["rules"][1]["firedIn30Days"] == 1
    wrong = program.get(RULES, {"kind": "x", "severity": "y", "enabled": "z"})
    assert (wrong.status_code, set(wrong.json()["fields"])) == (400, {"kind", "severity", "enabled"})


def test_the_list_takes_as_many_queries_for_many_rules(
    program: Client, operator: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(10):
        rule(operator, name=f"Rule {number}", contacts=(contact(f"ops{number}").pk,))
    with django_assert_max_num_queries(8):
        assert len(program.get(RULES).json()["rules"]) == 10


def test_a_copy_is_made(program: Client, operator: User) -> None:
    one = rule(operator)
    assert send(program, "post", f"/{one.pk}/clone").json()["name"] == f"{MEMORY.name} 2"
    assert send(program, "post", f"/{one.pk}/clone", name="Mine").json()["name"] == "Mine"
    assert set(send(program, "post", f"/{one.pk}/clone", name="Mine").json()["fields"]) == {"name"}


def test_one_is_deleted(program: Client, operator: User) -> None:
    one = rule(operator)
    assert send(program, "delete", f"/{one.pk}").status_code == 204
    assert send(program, "delete", f"/{one.pk}").status_code == 404
    assert program.get(RULES).json() == {"rules": []}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", ""), ("put", "/{}"), ("patch", "/{}"), ("delete", "/{}"), ("post", "/{}/clone"), ("post", "/preview"),
    ],
)  # fmt: skip
def test_a_viewer_and_an_outsider_cannot_write(
    viewer: User, outsider: User, operator: User, web1: Server, method: str, path: str
) -> None:
    one = rule(operator)
    assert send(program_of(viewer), method, path.format(one.pk), **ASKED).status_code == 403
    answer = send(program_of(outsider), method, path.format(one.pk), **ASKED)
    if path == "/preview":
        assert answer.json()["matching"] == 0  # of their own servers
    else:
        assert answer.status_code in (400, 403)
    assert events(MEMORY.name) == ["rule.made"]
    assert Rule.objects.count() == 1


def test_a_viewer_reads(viewer: User, operator: User) -> None:
    one = rule(operator)
    reader = program_of(viewer)
    assert reader.get(RULES).json()["rules"][0]["id"] == one.pk
    assert reader.get(f"{RULES}/{one.pk}").status_code == 200
    assert Client().get(RULES).status_code == 401
    assert reader.get(f"{RULES}/77").json() == {"error": "There is no such rule."}


@pytest.mark.parametrize(("method", "path"), [("put", ""), ("get", "/preview"), ("get", "/1/clone"), ("post", "/1")])
def test_another_method_is_refused(program: Client, method: str, path: str) -> None:
    assert send(program, method, path).status_code == 405
