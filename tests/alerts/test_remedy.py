"""A rule acts by itself: by the same door as a person, within its budget, and never where it should not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
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
from alerts.models import Incident, IncidentEntry, Remedy, Rule, Silence
from alerts.quiet import covering
from alerts.remedy import acting, following, outcomes, words
from alerts.rules import kinds
from servers.models import Server, ServerGroup, Service
from tests.actions.making import NGINX, ago, newest, result, service
from tests.alerts.acting_rules import closed, line, lines, opened, rule
from tests.cast import enrolled, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def nginx(web1: Server) -> Service:
    return service(web1, active_state="failed", sub_state="failed", main_pid=None, start_ticks=None)


@pytest.fixture
def restarts(operator: User, nginx: Service) -> Rule:
    return rule(operator)


def acted() -> Command:
    """The command that a rule asks for now."""
    before = set(Command.objects.values_list("pk", flat=True))
    acting.act()
    return Command.objects.exclude(pk__in=before).get()


def ends(command: Command, **fields: Any) -> None:
    """Its agent does it and says how that went; then the worker looks."""
    lifecycle.claim(command.server)
    lifecycle.acknowledge(command.server, command.uuid)
    lifecycle.finish(command.server, command.uuid, result(**fields))
    following.follow()


def fails(command: Command) -> None:
    ends(command, after={"activeState": "failed", "subState": "failed", "result": "exit-code", "settledSec": 5})


def make_due() -> None:
    """The time until the next decision has passed."""
    Remedy.objects.filter(outcome="", due_at__isnull=False).update(due_at=ago(1))


def long_ago() -> None:
    """What was done so far was done an hour ago."""
    for one in Remedy.objects.exclude(command=None):
        Remedy.objects.filter(pk=one.pk).update(at=one.at - timedelta(hours=1))


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


def unasked(incident: Incident, why: str) -> IncidentEntry:
    """Nothing was asked for, said once, and on record."""
    for _ in range(2):
        make_due()
        acting.act()
    assert Command.objects.count() == 0
    entry = line(incident, states.NOT_ACTED)
    assert entry.facts["why"] == why
    assert AuditEntry.objects.filter(event="remedy.held", facts__why=why).count() == 1
    return entry


def test_a_maker_who_lost_the_role_the_scope_or_the_account(web1: Server, restarts: Rule, operator: User) -> None:
    operator.groups.set([Group.objects.get_or_create(name="viewer")[0]])
    entry = unasked(opened(restarts, web1), outcomes.RIGHTS)
    sentence = "It did not act. oleg, in whose name it runs, may not act any more."
    assert words.sentence(entry) == sentence
    assert AuditEntry.objects.get(event="remedy.held").cmd == "restart"


def test_a_maker_who_does_not_see_the_server(db1: Server, restarts: Rule) -> None:
    service(db1, "nginx.service")
    entry = unasked(opened(restarts, db1), outcomes.RIGHTS)
    assert "may not act on this server any more" in words.sentence(entry)


def test_a_maker_without_an_account(web1: Server, restarts: Rule, operator: User) -> None:
    incident = opened(restarts, web1)
    operator.delete()
    assert "oleg, in whose name it runs, has no account any more." in words.sentence(unasked(incident, outcomes.RIGHTS))


def test_a_rule_that_nobody_made_does_not_act(web1: Server, nginx: Service) -> None:
    made = rule(remedy_cmd="restart")
    assert "Nobody, in whose name it runs" in words.sentence(unasked(opened(made, web1), outcomes.RIGHTS))


def test_protected_services_only_where_the_rule_may(web1: Server, operator: User) -> None:
    service(web1, "ssh.service", aliases=["sshd.service"])
    never = rule(operator, remedy_target="sshd.service")
    entry = unasked(opened(never, web1), outcomes.PROTECTED)
    assert words.sentence(entry) == "It did not act: ssh.service is protected, and the rule may not act on that."
    opened(rule(operator, name="May", remedy_target="sshd.service", remedy_protected=True), web1)
    assert acted().target == "ssh.service"


def test_starting_a_protected_service_cuts_nobody_off(web1: Server, operator: User) -> None:
    service(web1, "ssh.service")
    opened(rule(operator, remedy_cmd="start"), web1, "ssh.service")
    assert acted().cmd == "start"


def test_not_in_maintenance(web1: Server, restarts: Rule) -> None:
    now = timezone.now()
    Silence.objects.create(
        reason="disks", starts_at=now, ends_at=now + timedelta(hours=1), made_by_name="oleg", made_at=now
    )
    entry = unasked(opened(restarts, web1), outcomes.SILENCED)
    assert words.sentence(entry) == "It did not act: silenced, as in maintenance."


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"snoozed_until": timezone.now() + timedelta(days=1)}, outcomes.SNOOZED),
        ({"state": states.ACKNOWLEDGED, "acknowledged_by_name": "Ana <b>"}, outcomes.TAKEN),
    ],
)
def test_not_what_a_person_has_in_hand(web1: Server, restarts: Rule, columns: dict[str, Any], why: str) -> None:
    incident = opened(restarts, web1)
    Incident.objects.filter(pk=incident.pk).update(**columns)
    assert words.sentence(unasked(incident, why)).startswith("It did not act: ")


def test_not_on_a_silent_server(web1: Server, restarts: Rule) -> None:
    Server.objects.filter(pk=web1.pk).update(state="silent")
    unasked(opened(restarts, web1), outcomes.SILENT)


def test_not_what_its_owner_does_not_allow(web1: Server, restarts: Rule, nginx: Service) -> None:
    nginx.verbs = []
    nginx.save()
    entry = unasked(opened(restarts, web1), outcomes.REFUSED)
    assert "The agent of this server does not offer to restart nginx.service." in words.sentence(entry)


def test_not_on_many_servers_at_once(operator: User, web_group: ServerGroup) -> None:
    """Four that open one after the other are acted on; with the fifth they are one of many, and no more are."""
    made = rule(operator)
    servers = [enrolled(f"web-{number}", web_group)[0] for number in range(6)]
    for one in servers:
        service(one)
    for one in servers[:4]:
        opened(made, one)
        acted()
    fifth = opened(made, servers[4])
    opened(made, servers[5])
    acting.act()
    assert Command.objects.count() == 4
    assert lines(fifth) == ["opened"]
    whole = Incident.objects.get(server=None)
    assert "many servers at once" in words.sentence(line(whole, states.NOT_ACTED))
    for command in Command.objects.all():
        fails(command)
    make_due()
    acting.act()
    assert Command.objects.count() == 4
    assert AuditEntry.objects.filter(event="remedy.held", facts__why=outcomes.GROUPED).count() == 4


def test_what_flaps_and_is_well_just_now_is_left_alone(web1: Server, restarts: Rule) -> None:
    incident = opened(restarts, web1)
    Incident.objects.filter(pk=incident.pk).update(flapping=True, calm_since=timezone.now())
    acting.act()
    assert Command.objects.count() == 0
    Incident.objects.filter(pk=incident.pk).update(calm_since=None)
    make_due()
    assert acted().target == NGINX


def test_when_maintenance_is_over_it_acts_on_what_is_still_there(web1: Server, restarts: Rule) -> None:
    now = timezone.now()
    silence = Silence.objects.create(
        reason="disks", starts_at=now, ends_at=now + timedelta(hours=1), made_by_name="oleg", made_at=now
    )
    incident = opened(restarts, web1)
    acting.act()
    assert lines(incident) == ["opened", "silenced", "not acted"]
    Silence.objects.filter(pk=silence.pk).update(ended_at=timezone.now())
    assert covering.keep() == 1
    assert acted().target == NGINX
    assert lines(incident) == ["opened", "silenced", "not acted", "unsilenced", "acted"]


def test_what_is_about_no_service_says_so_at_once(web1: Server, operator: User) -> None:
    about_cpu = rule(operator, kind=kinds.READING)
    incident = opened(about_cpu, web1, "", metric="cpu", limit=90)
    assert line(incident, states.NOT_ACTED).facts["why"] == outcomes.NO_SERVICE
    assert Remedy.objects.count() == 0


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


@pytest.mark.parametrize("change", [{"enabled": False}, {"deleted_at": timezone.now()}, {"remedy_cmd": ""}])
def test_a_rule_that_was_changed_meanwhile_does_not_act(web1: Server, restarts: Rule, change: dict[str, Any]) -> None:
    incident = opened(restarts, web1)
    Rule.objects.filter(pk=restarts.pk).update(**change)
    acting.act()
    assert (Command.objects.count(), lines(incident)) == (0, ["opened"])


def test_a_closed_incident_is_not_acted_on(web1: Server, restarts: Rule) -> None:
    closed(opened(restarts, web1))
    acting.act()
    assert Command.objects.count() == Remedy.objects.count() == 0


def test_a_rule_without_a_remedy_notes_nothing(web1: Server) -> None:
    assert lines(opened(rule(), web1)) == ["opened"]
    assert Remedy.objects.count() == 0


def test_one_that_fails_holds_up_no_other(
    web1: Server, web2: Server, restarts: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    service(web2)
    title = words.visible
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
    assert title


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
