"""What time does to commands: the worker's steps."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from actions import deadlines, lifecycle, states, verdicts
from actions.models import AuditEntry, Command
from servers.models import HubAbsence, HubBeat, Server
from tests.actions.making import RUNNING, ago, command, newest, result, service

pytestmark = pytest.mark.django_db


def state_of(one: Command) -> str:
    one.refresh_from_db()
    return one.state


def test_a_queued_command_expires_and_can_never_run(web1: Server) -> None:
    late = command(web1, created_at=ago(61), deliver_by=ago(1))
    assert deadlines.expire_undelivered() == 1
    assert state_of(late) == states.EXPIRED
    assert lifecycle.claim(web1) == []
    assert lifecycle.acknowledge(web1, late.uuid) == states.EXPIRED
    assert lifecycle.finish(web1, late.uuid, result()) == states.EXPIRED
    assert verdicts.sentence(late) == "Not delivered in 60 s. It will never run."


def test_expiry_says_that_the_server_was_silent(web1: Server) -> None:
    type(web1).objects.filter(pk=web1.pk).update(state="silent")
    late = command(web1, created_at=ago(61), deliver_by=ago(1))
    deadlines.expire_undelivered()
    late.refresh_from_db()
    assert "because the server was silent" in verdicts.sentence(late)


@pytest.mark.parametrize("recorded", [False, True])
def test_expiry_says_that_the_hub_was_away(web1: Server, recorded: bool) -> None:
    late = command(web1, created_at=ago(400), deliver_by=ago(340))
    if recorded:
        HubAbsence.objects.create(start=ago(390), end=ago(2), why="asleep")
    else:
        HubBeat.objects.create(at=ago(390), since=ago(9_000), boot_sec=1, awake_sec=1)
    assert deadlines.expire_undelivered() == 1
    assert lifecycle.claim(web1) == []
    assert lifecycle.acknowledge(web1, late.uuid) == states.EXPIRED
    late.refresh_from_db()
    assert verdicts.sentence(late) == (
        "Not delivered in 60 s: the hub was away, or its clock was set forward, meanwhile. It will never run."
    )


def test_an_absence_before_or_after_the_wait_is_none_of_its_business(web1: Server) -> None:
    HubAbsence.objects.create(start=ago(900), end=ago(70), why="asleep")
    HubBeat.objects.create(at=ago(0), since=ago(70), boot_sec=1, awake_sec=1)
    late = command(web1, created_at=ago(61), deliver_by=ago(1))
    deadlines.expire_undelivered()
    late.refresh_from_db()
    assert verdicts.sentence(late) == "Not delivered in 60 s. It will never run."


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(60, "60 s"), (600, "10 min"), (3600, "60 min"), (86_400, "24 h"), (30 * 86_400, "30 d")],
)
def test_the_wait_is_told_in_its_unit(web1: Server, seconds: float, said: str) -> None:
    late = command(web1, created_at=ago(seconds + 1), deliver_by=ago(1))
    deadlines.expire_undelivered()
    late.refresh_from_db()
    assert verdicts.sentence(late) == f"Not delivered in {said}. It will never run."


def test_what_is_on_time_is_left(web1: Server, web2: Server) -> None:
    there = [command(web1), command(web2, states.DELIVERED), command(web2, states.RUNNING, target="b.service")]
    steps = (deadlines.expire_undelivered, deadlines.requeue_unacknowledged, deadlines.time_out_unanswered)
    assert [step() for step in steps] == [0, 0, 0]
    assert [state_of(one) for one in there] == [states.QUEUED, states.DELIVERED, states.RUNNING]


def test_a_lost_lease_goes_back_and_is_delivered_again(web1: Server) -> None:
    lapsed = command(web1, states.DELIVERED, lease_until=ago(1))
    assert deadlines.requeue_unacknowledged() == 1
    (again,) = lifecycle.claim(web1)
    assert (again, again.deliveries) == (lapsed, 2)


def test_a_lost_lease_after_the_delivery_deadline_expires(web1: Server) -> None:
    lapsed = command(web1, states.DELIVERED, lease_until=ago(1), deliver_by=ago(3))
    assert deadlines.requeue_unacknowledged() == 0
    assert deadlines.expire_undelivered() == 1
    assert state_of(lapsed) == states.EXPIRED


def test_a_lease_that_still_runs_outlives_the_delivery_deadline(web1: Server) -> None:
    leased = command(web1, states.DELIVERED, deliver_by=ago(1))
    assert deadlines.expire_undelivered() == 0
    assert state_of(leased) == states.DELIVERED


def test_requeued_then_expired(web1: Server) -> None:
    lapsed = command(web1, states.DELIVERED, lease_until=ago(1))
    deadlines.requeue_unacknowledged()
    Command.objects.update(deliver_by=ago(0.01))
    deadlines.expire_undelivered()
    entries = AuditEntry.objects.filter(command=lapsed).order_by("id").values_list("from_state", "to_state", "actor")
    assert list(entries) == [("delivered", "queued", "hub"), ("queued", "expired", "hub")]


@pytest.mark.parametrize(("over", "state"), [(14, states.RUNNING), (16, states.UNKNOWN)])
def test_no_answer_past_the_deadline_and_its_grace_is_unknown(web1: Server, over: float, state: str) -> None:
    running = command(web1, states.RUNNING, execute_by=ago(over))
    assert deadlines.time_out_unanswered() == (state == states.UNKNOWN)
    assert state_of(running) == state
    assert running.ended_at is None


def unknown(server: Server, verb: str = "restart", **columns: Any) -> Command:
    """Timed out two minutes ago; before it, nginx ran as 123."""
    times = {"started_at": ago(300), "execute_by": ago(180), "verdict": "timed_out", "evidence": {"before": RUNNING}}
    return command(server, states.UNKNOWN, cmd=verb, **{**times, **columns})


def reported(server: Server, listed: float = 60, sampled: float = 1, **columns: Any) -> None:
    """The server's services were listed, and the report that came just now sampled, so many seconds ago."""
    newest(server, sampled_at=ago(sampled), services_at=ago(listed))
    service(server, **columns)


@pytest.mark.parametrize(
    ("verb", "seen", "state", "verdict"),
    [
        ("restart", {"main_pid": 456, "start_ticks": 9001}, "succeeded", "restarted"),
        ("restart", {}, "failed", "not_restarted"),
        ("restart", {"active_state": "failed", "main_pid": None}, "failed", "stopped_not_started"),
        ("stop", {"active_state": "inactive", "main_pid": None}, "succeeded", "stopped"),
        ("stop", {}, "failed", "not_stopped"),
        ("start", {}, "succeeded", "already_active"),
        ("reload", {"main_pid": 456}, "failed", "reload_restarted"),
    ],
)
def test_the_next_reports_settle_it(web1: Server, verb: str, seen: dict[str, Any], state: str, verdict: str) -> None:
    there = unknown(web1, verb)
    reported(web1, **seen)
    assert deadlines.resolve_unknown() == 1
    assert state_of(there) == state
    assert there.verdict == verdict
    assert there.evidence["seen"]["activeState"] == seen.get("active_state", "active")
    assert there.evidence["before"] == RUNNING
    assert there.ended_at is not None
    assert AuditEntry.objects.get(command=there).from_state == "unknown"
    assert "?" not in verdicts.sentence(there)


@pytest.mark.parametrize(
    ("when", "seen"),
    [
        ({"listed": 400}, {"main_pid": 456}),  # listed before it started
        ({"listed": 3, "sampled": 1}, {"main_pid": 456}),  # not yet held
        ({"listed": 60, "sampled": 60}, {"main_pid": 456}),  # a report that waited for the hub is still one look
        ({"listed": 200}, {}),  # a failure is not believed before the execution deadline
        ({}, {"active_state": "activating", "main_pid": 456}),
    ],
)
def test_what_proves_nothing_yet_stays_unknown(web1: Server, when: dict[str, float], seen: dict[str, Any]) -> None:
    there = unknown(web1)
    reported(web1, **when, **seen)
    assert deadlines.resolve_unknown() == 0
    assert state_of(there) == states.UNKNOWN


@pytest.mark.parametrize(("changed", "state"), [(2, states.UNKNOWN), (20, states.SUCCEEDED)])
def test_an_agents_wrong_clock_makes_no_state_older(web1: Server, changed: float, state: str) -> None:
    there, behind = unknown(web1), 3600
    now, boot = ago(behind).timestamp(), ago(behind + 9000).timestamp()
    newest(web1, services_at=ago(0), sampled_at=ago(0), uptime_sec=now - boot, facts={"bootTime": boot})
    service(web1, main_pid=456, since=ago(behind + changed))
    deadlines.resolve_unknown()
    assert state_of(there) == state


def test_a_reload_leaves_nothing_to_see_where_its_manager_tells_none(web1: Server) -> None:
    unknown(web1, "reload")
    reported(web1)
    assert deadlines.resolve_unknown() == 0


@pytest.mark.parametrize(
    ("before", "seen", "verdict"),
    [
        (None, {"reloaded_at": ago(200), "reload_status": 0}, "reloaded"),
        (None, {"reloaded_at": ago(200), "reload_status": 1}, "reload_failed"),
        ("2026-11-23T04:00:00Z", {"reloaded_at": "2026-11-23T06:00:00+02:00", "reload_status": 0}, "not_reloaded"),
    ],
)
def test_a_reload_whose_answer_was_lost_is_settled(
    web1: Server, before: str | None, seen: dict[str, Any], verdict: str
) -> None:
    there = unknown(web1, "reload", evidence={"before": {**RUNNING, **({"reloadedAt": before} if before else {})}})
    reported(web1, **seen)
    deadlines.resolve_unknown()
    assert (state_of(there) in states.ENDED, there.verdict) == (True, verdict)


def test_a_service_without_a_process_is_known_by_the_time_it_changed(web1: Server) -> None:
    before = {"activeState": "active", "subState": "exited", "since": "2026-11-23T04:00:00Z"}
    there = unknown(web1, evidence={"before": before})
    reported(web1, main_pid=None, start_ticks=None, sub_state="exited", since="2026-11-23T05:00:00+00:00")
    deadlines.resolve_unknown()
    assert (state_of(there), there.verdict) == (states.SUCCEEDED, "restarted")


def test_a_loop_is_seen_in_the_reports(web1: Server) -> None:
    there = unknown(web1, evidence={"before": {**RUNNING, "nRestarts": 0}})
    reported(web1, listed=1, main_pid=456, start_ticks=9001, n_restarts=7, last_exit="7")
    deadlines.resolve_unknown()
    assert (state_of(there), there.verdict) == (states.FAILED, "keeps_dying_seen")


@pytest.mark.parametrize("service_is", ["activating", "gone"])
def test_what_the_reports_cannot_settle_says_so_after_a_while(web1: Server, service_is: str) -> None:
    there = unknown(web1, execute_by=ago(900))
    newest(web1, sampled_at=ago(1), services_at=ago(60))
    if service_is == "activating":
        service(web1, active_state="activating", main_pid=456)
    assert [deadlines.resolve_unknown() for _run in range(2)] == [1, 0]
    assert (state_of(there), there.verdict) == (states.UNKNOWN, "unsettled")
    assert there.ended_at is not None
    said = "The service is activating now." if service_is == "activating" else "The server does not list the service"
    assert said in verdicts.sentence(there)
    assert AuditEntry.objects.get(command=there).event == "command.unsettled"
    assert lifecycle.finish(web1, there.uuid, result()) == states.SUCCEEDED  # its own answer is still taken


def test_nothing_is_given_up_while_the_server_is_silent(web1: Server) -> None:
    there = unknown(web1, execute_by=ago(90_000), started_at=ago(90_100))
    newest(web1, sampled_at=ago(90_000), services_at=ago(90_050))
    assert deadlines.resolve_unknown() == 0
    assert there.ended_at is None


def test_another_servers_service_settles_nothing(web1: Server, web2: Server) -> None:
    unknown(web1)
    newest(web1, services_at=ago(60))
    reported(web2, main_pid=456)
    assert deadlines.resolve_unknown() == 0


def test_without_the_agents_before_the_hubs_own_list_is_compared(web1: Server) -> None:
    since = timezone.now() - timedelta(days=3)
    listed = {"activeState": "active", "subState": "exited", "since": since.isoformat()}
    there = unknown(web1, evidence={"listed": listed})
    reported(web1, main_pid=None, start_ticks=None, since=since)
    assert deadlines.resolve_unknown() == 1
    assert (state_of(there), there.verdict) == (states.FAILED, "not_restarted")


def test_a_service_that_is_gone_settles_nothing(web1: Server) -> None:
    unknown(web1)
    newest(web1, services_at=ago(60))
    assert deadlines.resolve_unknown() == 0


def test_the_steps_look_only_at_open_commands(web1: Server, django_assert_num_queries: Any) -> None:
    for number in range(5):
        command(web1, states.SUCCEEDED, target=f"{number}.service")
    for step, queries in [
        (deadlines.expire_undelivered, 2),
        (deadlines.requeue_unacknowledged, 1),
        (deadlines.time_out_unanswered, 2),
        (deadlines.resolve_unknown, 2),
    ]:
        with django_assert_num_queries(queries):
            step()
