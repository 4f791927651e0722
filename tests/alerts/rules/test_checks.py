"""What a rule may be: every wrong field is named, with what would be right."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from alerts.models import Rule
from alerts.rules import changes, checks, kinds, sentence, wanted
from alerts.rules.wanted import Wanted
from tests.alerts.rules.making import FAILED, MEMORY, PROCESS, contact, rule
from tests.cast import person

pytestmark = pytest.mark.django_db
SILENT = Wanted("Silent", kinds.SILENT, for_sec=60)
REBOOTED = Wanted("Rebooted", kinds.REBOOTED)
RESTARTED = Wanted("Restarts", kinds.RESTARTED, {"withinSec": 600}, 3)
ACTS = FAILED._replace(remedy_cmd="restart")


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_what_a_new_rule_begins_with_is_right_once_it_is_named(kind: str, admin: User) -> None:
    begun = wanted.usual(kind)._replace(name="New")
    if "pattern" in begun.params:
        begun = begun._replace(params={**begun.params, "pattern": "nginx"})
    assert checks.wrong(begun, admin) == {}
    whole = wanted.whole(begun)
    assert checks.wrong(whole, admin) == {}
    assert set(whole.params) == set(kinds.KINDS[kind].params.__struct_encode_fields__)


@pytest.mark.parametrize(
    ("given", "changed", "field", "said"),
    [
        (MEMORY, {"name": ""}, "name", "1 to 80 printable characters"),
        (MEMORY, {"name": "a\nb"}, "name", "1 to 80 printable characters"),
        (MEMORY, {"name": "x" * 81}, "name", "1 to 80 printable characters"),
        (MEMORY, {"kind": "weather"}, "kind", "must be one of reading, server_silent"),
        (MEMORY, {"params": {}}, "params.metric", "must be one of cpu, cpuIowait"),
        (MEMORY, {"params": {"metric": "heat"}}, "params.metric", "must be one of cpu, cpuIowait"),
        (MEMORY, {"params": {"metric": "mem", "below": "yes"}}, "params.below", "must be true or false"),
        (MEMORY, {"params": {"metric": "mem", "colour": 1}}, "params.colour", "which takes metric, below"),
        (SILENT, {"params": {"metric": "mem"}}, "params.metric", "which takes nothing"),
        (PROCESS, {"params": {"by": "shape", "pattern": "x"}}, "params.by", "name, cmdline, user, service"),
        (PROCESS, {"params": {"by": "name", "pattern": ""}}, "params.pattern", "1 to 255 printable"),
        (PROCESS, {"params": {"by": "name", "pattern": "a\0"}}, "params.pattern", "1 to 255 printable"),
        (PROCESS, {"params": {"by": "name"}}, "params.pattern", "1 to 255 printable"),
        (PROCESS, {"params": {"by": "name", "pattern": "x", "together": True}}, "params.together", "must be false"),
        (MEMORY, {"params": {"metric": "mem", "together": True}}, "params.together", "which takes metric, below"),
        (RESTARTED, {"params": {"withinSec": 5}}, "params.withinSec", "60 to 604800"),
        (RESTARTED, {"params": {"withinSec": 60.5}}, "params.withinSec", "60 to 604800"),
        (MEMORY, {"limit": None}, "limit", "a number from 0 to 100"),
        (MEMORY, {"limit": 101, "clear_limit": None}, "limit", "a number from 0 to 100"),
        (MEMORY, {"limit": float("nan"), "clear_limit": None}, "limit", "a number from 0 to 100"),
        (MEMORY, {"limit": float("inf"), "clear_limit": None}, "limit", "a number from 0 to 100"),
        (PROCESS, {"limit": 0}, "limit", "a whole number from 1 to 1000000"),
        (PROCESS, {"limit": 1.5}, "limit", "a whole number from 1 to 1000000"),
        (PROCESS, {"limit": 1, "clear_limit": 1.5}, "clearLimit", "a whole number from 1 to 1000000"),
        (RESTARTED, {"limit": 2.5}, "limit", "a whole number from 1 to 1000000"),
        (MEMORY, {"params": {"metric": "procs"}, "limit": 99.5}, "limit", "a whole number from 0 to 1"),
        (FAILED, {"limit": 3}, "limit", "must be left out"),
        (FAILED, {"clear_limit": 3}, "clearLimit", "must be left out"),
        (MEMORY, {"clear_limit": 91}, "clearLimit", "at most the limit, 90"),
        (MEMORY, {"clear_limit": float("nan")}, "clearLimit", "a number from 0 to 100"),
        (MEMORY, {"params": {"metric": "mem", "below": True}}, "clearLimit", "at least the limit, 90"),
        (PROCESS, {"limit": 3, "clear_limit": 2}, "clearLimit", "at least the limit, 3"),
        (MEMORY, {"for_sec": -1}, "forSec", "0 to 604800"),
        (MEMORY, {"for_sec": 604_801}, "forSec", "0 to 604800"),
        (MEMORY, {"clear_for_sec": 604_801}, "clearForSec", "0 to 604800"),
        (REBOOTED, {"for_sec": 60}, "forSec", "withinSec says for how long"),
        (MEMORY, {"k": 3}, "n", "given together with k"),
        (MEMORY, {"n": 5}, "k", "from 1 to n, 5"),
        (MEMORY, {"k": 6, "n": 5}, "k", "from 1 to n, 5"),
        (MEMORY, {"k": 1, "n": 61}, "n", "from 1 to 60"),
        (FAILED, {"k": 1, "n": 2}, "k", "must be left out"),
        (MEMORY, {"scope": 'role="web'}, "scope", "quotation mark"),
        (MEMORY, {"scope": "x" * 301}, "scope", "at most 300 characters"),
        (MEMORY, {"severity": "loud"}, "severity", "must be one of warning, critical"),
        (MEMORY, {"contacts": (7,)}, "contacts", "there is no contact 7"),
        (MEMORY, {"escalate_after_sec": 600}, "escalateTo", "at least one contact"),
        (ACTS, {"remedy_cmd": "reboot"}, "remedy.cmd", "must be one of restart, start, rollout"),
        (SILENT, {"remedy_cmd": "restart", "remedy_target": "a.service"}, "remedy.cmd", "hears no command"),
        (FAILED, {"remedy_target": "nginx.service"}, "remedy.target", "must be left out"),
        (MEMORY, {"remedy_cmd": "restart"}, "remedy.target", "must name the service"),
        (ACTS, {"remedy_target": "*.service"}, "remedy.target", "must be the name of one service"),
        (ACTS, {"remedy_most": 21}, "remedy.most", "from 1 to 20"),
        (ACTS, {"remedy_within_sec": 59}, "remedy.withinSec", "60 to 604800"),
        (ACTS, {"remedy_cooldown_sec": 86_401}, "remedy.cooldownSec", "0 to 86400"),
    ],
)
def test_a_wrong_field_is_named_with_what_would_be_right(
    given: Wanted, changed: dict[str, Any], field: str, said: str, admin: User
) -> None:
    found = checks.wrong(given._replace(**changed), admin)
    assert set(found) == {field}
    assert said in found[field]


def test_all_wrong_fields_are_named_at_once(admin: User) -> None:
    given = MEMORY._replace(name="", limit=None, severity="loud", scope='"', for_sec=-1)
    assert set(checks.wrong(given, admin)) == {"name", "limit", "severity", "scope", "forSec"}


def test_a_fraction_of_a_count_that_was_recorded_goes_on_and_no_new_one_comes(admin: User) -> None:
    one = rule(admin, PROCESS)
    Rule.objects.filter(pk=one.pk).update(limit=1.5)
    one.refresh_from_db()
    was = wanted.of(one)
    assert checks.wrong(was._replace(name="Another name"), admin, one) == {}
    assert set(checks.wrong(was._replace(limit=2.5), admin, one)) == {"limit"}
    assert set(checks.wrong(was._replace(name="A copy"), admin)) == {"limit"}


def test_both_of_a_pair_are_named_when_both_are_wrong(admin: User) -> None:
    given = MEMORY._replace(k=0, n=61, escalate_after_sec=0)
    assert set(checks.wrong(given, admin)) == {"k", "n", "escalateAfterSec", "escalateTo"}


def test_a_sum_may_be_said_not_to_be_wanted(admin: User) -> None:
    given = PROCESS._replace(params={**PROCESS.params, "together": False})
    assert checks.wrong(given, admin) == {}
    summed = given._replace(kind=kinds.PROCESS_CPU, params={**PROCESS.params, "together": True})
    assert checks.wrong(summed, admin) == {}


def test_a_rule_from_before_that_asks_for_a_meaningless_sum_goes_on(operator: User) -> None:
    one = rule(operator, PROCESS, scope="group:web")
    Rule.objects.update(params={**PROCESS.params, "together": True})
    old = Rule.objects.get()
    assert sentence.whole(old) == "process keepalived missing for 30 s"
    changes.switch(operator, old, False)
    changes.switch(operator, old, True)
    changed = changes.change(operator, old, wanted.of(old)._replace(for_sec=60))
    assert (changed.pk, changed.params["together"], changed.enabled) == (one.pk, False, True)


def test_a_service_of_processes_need_not_be_named_again(admin: User) -> None:
    of_a_service = {"by": "service", "pattern": "nginx.service"}
    given = PROCESS._replace(params=of_a_service, remedy_cmd="restart")
    assert checks.wrong(given, admin) == {}
    assert set(checks.wrong(given._replace(params={**of_a_service, "pattern": "php*"}), admin)) == {"remedy.target"}


def test_the_name_must_be_free(operator: User) -> None:
    one = rule(operator)
    assert "another rule's name" in checks.wrong(MEMORY, operator)["name"]
    assert checks.wrong(MEMORY, operator, one) == {}


def test_an_operator_names_a_group_of_theirs(operator: User, outsider: User, admin: User) -> None:
    for scope in ("", "role=web", "group:db", "group:web group:db", "web-*"):
        assert set(checks.wrong(MEMORY._replace(scope=scope), operator)) == {"scope"}, scope
        assert checks.wrong(MEMORY._replace(scope=scope), admin) == {}
    assert checks.wrong(MEMORY._replace(scope="GROUP:Web role=x"), operator) == {}
    assert set(checks.wrong(MEMORY, outsider)) == {"scope"}
    assert set(checks.wrong(MEMORY, person("new", "operator"))) == {"scope"}


def test_only_an_admin_lets_it_act_on_protected_services(operator: User, admin: User) -> None:
    given = ACTS._replace(remedy_protected=True)
    assert set(checks.wrong(given, operator)) == {"remedy.protected"}
    assert checks.wrong(given, admin) == {}


def test_escalation_needs_a_time_and_somebody(operator: User) -> None:
    them = (contact().pk,)
    for after, said in ((None, "after how long"), (59, "60 to 604800"), (604_801, "60 to 604800")):
        found = checks.wrong(MEMORY._replace(escalate_to=them, escalate_after_sec=after), operator)
        assert said in found["escalateAfterSec"]
    assert checks.wrong(MEMORY._replace(escalate_to=them, escalate_after_sec=60, contacts=them), operator) == {}
