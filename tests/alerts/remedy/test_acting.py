"""A rule acts by itself: by the same door as a person, within its budget, and never where it should not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from actions import lifecycle
from actions import states as command_states
from actions.ask import ask
from actions.models import AuditEntry, Command
from actions.rollouts import advance
from actions.rollouts import states as rollout_states
from actions.rollouts.models import Rollout
from alerts import states, timeline
from alerts.models import Remedy, Rule
from alerts.remedy import acting, following, outcomes, words
from alerts.rules import kinds
from servers.models import Server, Service
from tests.actions.making import NGINX, ago, newest, service
from tests.alerts.acting_rules import acted, closed, ends, fails, line, lines, long_ago, make_due, opened, rule
from tests.cast import signed_in

pytestmark = pytest.mark.django_db


def test_a_rule_restarts_a_failed_service_on_record_as_its_doing(web1: Server, restarts: Rule, operator: User) -> None:
    incident = opened(restarts, web1)
    command = acted()
    assert (command.cmd, command.target, command.state) == ("restart", NGINX, "queued")
    assert (command.asked_by, command.asked_by_name) == (operator, "rule Web down")
    assert command.reason == "Rule “Web down”: nginx.service failed"
    assert command.deliver_by - command.created_at == timedelta(seconds=60), "a restart that comes late helps nobody"
    entries = AuditEntry.objects.order_by("id").values_list("event", "actor", "command")
    assert list(entries) == [(event, "rule Web down", command.pk) for event in ("command.queued", "remedy.acted")]
    told = AuditEntry.objects.get(event="remedy.acted")
    assert told.facts == {"rule": restarts.pk, "incident": str(incident.uuid)}
    assert line(incident, states.ACTED).command == command
    assert words.sentence(line(incident, states.ACTED)) == "Restart nginx.service."
    assert acting.act() == 0, "once"


def test_its_outcome_stands_in_the_timeline_and_the_closed_incident_needs_no_more(web1: Server, restarts: Rule) -> None:
    incident = opened(restarts, web1)
    ends(acted())
    ended = line(incident, states.ACT_ENDED)
    assert words.sentence(ended) == "Restart nginx.service: succeeded, verified."
    assert ended.facts["outcome"] == Remedy.objects.exclude(outcome="").get().outcome == outcomes.SUCCEEDED
    closed(incident)
    make_due()
    acting.act()
    assert Remedy.objects.filter(outcome="").count() == 0
    assert lines(incident) == ["opened", "acted", "act ended", "closed"]


def test_a_failed_restart_is_tried_again_after_the_cooldown_and_given_up_when_the_budget_is_spent(
    web1: Server, restarts: Rule
) -> None:
    incident = opened(restarts, web1)
    fails(acted())
    assert acting.act() == 0, "the cooldown is not over"
    waits = Remedy.objects.get(outcome="").due_at
    assert waits
    assert 290 <= (waits - timezone.now()).total_seconds() <= 300
    Remedy.objects.filter(outcome="failed").update(at=ago(301))
    make_due()
    fails(acted())
    acting.act()  # two in an hour are the budget: there is no use in waiting
    assert lines(incident) == ["opened", "acted", "act ended", "acted", "act ended", "gave up"]
    gave_up = line(incident, states.GAVE_UP)
    sentence = "It gave up on nginx.service: it acted 2 times in 1 h, as often as it may."
    assert words.sentence(gave_up) == sentence
    assert AuditEntry.objects.filter(event="remedy.gave_up", actor="rule Web down").count() == 1
    make_due()
    following.follow()
    assert acting.act() == 0, "given up for good"


def test_listeners_hear_once_that_it_gave_up(web1: Server, restarts: Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, int]] = []
    monkeypatch.setattr(
        timeline, "LISTENERS", [*timeline.LISTENERS, lambda move, ones: heard.extend((move, one.pk) for one in ones)]
    )
    restarts.remedy_most = 1
    restarts.save()
    incident = opened(restarts, web1)
    fails(acted())
    for _ in range(3):
        acting.act()
    assert heard.count((states.GAVE_UP, incident.pk)) == 1


def test_the_budget_counts_over_incidents_and_is_free_again_in_time(web1: Server, restarts: Rule) -> None:
    for _ in range(2):
        incident = opened(restarts, web1)
        ends(acted())
        closed(incident)
        make_due()
        acting.act()
        Remedy.objects.update(at=ago(400))
    third = opened(restarts, web1)
    acting.act()
    assert lines(third) == ["opened", "gave up"]
    closed(third)
    long_ago()
    opened(restarts, web1)
    assert acted().state == "queued"


def test_an_incident_within_the_cooldown_waits_for_its_end(web1: Server, restarts: Rule) -> None:
    first = opened(restarts, web1)
    ends(acted())
    closed(first)
    second = opened(restarts, web1)
    acting.act()
    assert Command.objects.count() == 1
    Remedy.objects.exclude(command=None).update(at=ago(301))
    make_due()
    assert acted().reason.endswith("failed")
    assert lines(second) == ["opened", "acted"]


def test_what_does_not_close_after_a_success_is_tried_again_but_not_what_stays_open_for_a_while_anyway(
    web1: Server, operator: User, nginx: Service
) -> None:
    for number, (kind, again) in enumerate([(kinds.INACTIVE, True), (kinds.RESTARTED, False)]):
        one = rule(operator, name=f"Rule {number}", kind=kind, limit=3)
        Command.objects.filter(state="queued").update(state="cancelled")
        opened(one, web1, limit=3)
        ends(acted())
        assert Remedy.objects.filter(rule=one, outcome="").exists() == again
        Remedy.objects.filter(outcome="").delete()


def test_a_person_who_asked_first_is_joined_and_it_costs_the_rule_nothing(
    web1: Server, restarts: Rule, admin: User
) -> None:
    theirs = ask(admin, web1, "restart", NGINX).command
    incident = opened(restarts, web1)
    acting.act()
    assert Command.objects.get() == theirs
    assert Remedy.objects.get().joined
    assert words.sentence(line(incident, states.ACTED)) == "Restart nginx.service: ada had asked for it already."
    fails(theirs)
    make_due()
    assert acted().asked_by_name == "rule Web down"


@pytest.mark.parametrize(
    ("kind", "subject", "facts"),
    [
        (kinds.READING, "", {"metric": "mem", "limit": 90}),
        (kinds.MISSING, "", {"by": "service", "pattern": NGINX}),
        (kinds.COMMAND_FAILED, "cron.service", {"cmd": "restart"}),
    ],
)
def test_the_rules_own_target_comes_before_what_the_incident_is_about(
    web1: Server, operator: User, kind: str, subject: str, facts: dict[str, Any]
) -> None:
    service(web1, "php-fpm.service")
    opened(rule(operator, kind=kind, remedy_target="php-fpm.service"), web1, subject, **facts)
    assert acted().target == "php-fpm.service"


def test_one_that_fails_holds_up_no_other(
    web1: Server, web2: Server, restarts: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    service(web2)
    opened(restarts, web1)
    opened(restarts, web2)
    reason = acting._reason

    def broken(remedy: Remedy) -> str:
        if remedy.server_id == web1.pk:
            raise ZeroDivisionError
        return reason(remedy)

    monkeypatch.setattr(acting, "_reason", broken)
    assert acted().server == web2
    monkeypatch.setattr(acting, "_reason", reason)
    assert acted().server == web1, "it was tried again"


def test_as_a_rollout_of_one_that_ends_well(
    web1: Server, operator: User, nginx: Service, django_capture_on_commit_callbacks: Any
) -> None:
    newest(web1, services_at=timezone.now())
    incident = opened(rule(operator, remedy_cmd="rollout"), web1)
    acting.act()
    rollout = Rollout.objects.get()
    assert (rollout.cmd, rollout.asked_by, rollout.led_by_name) == ("restart", operator, "rule Web down")
    assert words.sentence(line(incident, states.ACTED)) == "Restart nginx.service, as a rollout."
    advance.advance()
    command = Command.objects.get()
    assert (command.rollout, command.asked_by_name) == (rollout, "rule Web down")
    ends(command)
    advance.advance()
    assert following.follow() == 1
    rollout.refresh_from_db()
    assert rollout.state == rollout_states.FINISHED
    assert line(incident, states.ACT_ENDED).facts["outcome"] == outcomes.SUCCEEDED


def test_a_rollout_of_one_that_halts_is_ended_and_blocks_nobody(web1: Server, operator: User, nginx: Service) -> None:
    newest(web1, services_at=timezone.now())
    incident = opened(rule(operator, remedy_cmd="rollout"), web1)
    acting.act()
    advance.advance()
    fails(Command.objects.get())
    advance.advance()
    assert Rollout.objects.get().state == rollout_states.HALTED
    following.follow()
    assert Rollout.objects.get().state == rollout_states.ENDED
    assert line(incident, states.ACT_ENDED).facts["outcome"] == outcomes.FAILED
    long_ago()
    Remedy.objects.filter(outcome="failed").update(at=ago(400))
    make_due()
    acting.act()
    assert Rollout.objects.count() == 2


def test_an_expired_command_has_not_helped(web1: Server, restarts: Rule) -> None:
    incident = opened(restarts, web1)
    lifecycle.expire(acted())
    following.follow()
    entry = line(incident, states.ACT_ENDED)
    assert (entry.facts["outcome"], entry.facts["state"]) == (outcomes.FAILED, command_states.EXPIRED)
    assert words.sentence(entry) == "Restart nginx.service: it did not succeed."


def test_the_audit_page_shows_it_as_the_rules_doing(web1: Server, restarts: Rule, as_operator: Client) -> None:
    opened(restarts, web1)
    acted()
    shown = as_operator.get("/audit/").content.decode()
    assert "Acted by itself" in shown
    assert shown.count("rule Web down") >= 2
    assert "Restart nginx.service" in shown


def test_hostile_names_are_escaped_where_they_are_shown(web1: Server, operator: User, nginx: Service) -> None:
    opened(rule(operator, name="<script>alert(1)</script>\u202e"), web1)
    command = acted()
    shown = signed_in(operator).get(f"/commands/{command.uuid}/").content.decode()
    assert "<script>alert" not in shown
    assert "\u202e" not in shown
