"""What happened to a service, out of two lists: the table of cases; and that it is kept with its list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from servers import ingest, service_events, service_history
from servers.models import Server
from servers.service_events import Change, Seen, Span
from servers.wire import Report
from tests.servers.reports import report, service

T0 = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def seen(active: str = "active", sub: str = "running", pid: int | None = 1, **facts: Any) -> Seen:
    return Seen("a.service", active, sub, pid, pid and 10 * pid, **{"n_restarts": 0, "since": T0, **facts})


RUNS, RUNS_ANEW = seen(), seen(pid=2, since=T0 + SECOND)
DEAD = seen("inactive", "dead", None)
FAILED = seen("failed", "failed", None, result="exit-code", last_exit="7")
WAITS = seen("activating", "auto-restart", None, result="signal", last_exit="SIGSEGV")
STARTING = seen("activating", "start", 2)
STOPPING = seen("deactivating", "stop-sigterm")
EXITED = seen(sub="exited", pid=None)
JUST_GONE = seen(pid=None)  # its manager did not know that yet

CASES = [
    # before, now -> kind
    (RUNS, RUNS, ""),
    (RUNS, seen(result="success", sub="listening"), ""),
    (DEAD, RUNS, "started"),
    (FAILED, RUNS, "started"),
    (STARTING, RUNS_ANEW, "started"),
    (RUNS, DEAD, "stopped"),
    (STOPPING, DEAD, "stopped"),
    (RUNS, STOPPING, ""),
    (WAITS, DEAD, "stopped"),
    (RUNS, STARTING, "stopped"),
    (DEAD, STARTING, ""),
    (RUNS, RUNS_ANEW, "restarted"),
    (STOPPING, RUNS_ANEW, "restarted"),
    (STOPPING._replace(main_pid=None, start_ticks=None), RUNS_ANEW, "restarted"),
    (RUNS, RUNS._replace(start_ticks=99), "restarted"),
    (EXITED, EXITED._replace(since=T0 + SECOND), "restarted"),
    (RUNS, JUST_GONE, ""),
    (JUST_GONE, RUNS, ""),
    (JUST_GONE, RUNS_ANEW, "restarted"),
    (RUNS, JUST_GONE._replace(since=T0 + SECOND), "restarted"),
    (JUST_GONE, RUNS._replace(since=T0 + SECOND, reloaded_at=T0 + SECOND), "reloaded"),
    (RUNS, EXITED._replace(since=T0 + SECOND), ""),
    (RUNS, RUNS._replace(since=T0 + SECOND, reloaded_at=T0 + SECOND), "reloaded"),
    (RUNS._replace(reloaded_at=T0), RUNS._replace(reloaded_at=T0 + SECOND), "reloaded"),
    (RUNS._replace(reloaded_at=T0), RUNS_ANEW, "restarted"),
    (RUNS, seen("failed", "failed", None, result="signal", last_exit="SIGSEGV"), "crashed"),
    (RUNS, FAILED, "crashed"),
    (RUNS, WAITS, "crashed"),
    (STARTING, FAILED, "crashed"),
    (RUNS, seen("failed", "failed", None, result="oom-kill"), "oom_killed"),
    (RUNS, WAITS._replace(result="oom-kill"), "oom_killed"),
    (RUNS, WAITS._replace(result="success", last_exit="0"), "stopped"),
    (DEAD, FAILED, "failed"),
    (FAILED, FAILED._replace(since=T0 + SECOND), "failed"),
    (FAILED, FAILED._replace(main_pid=None), ""),
    (WAITS, seen("failed", "failed", None, result="start-limit-hit"), "failed"),
    (STARTING, seen("failed", "failed", None, result="timeout"), "failed"),
    (STARTING._replace(type="oneshot"), FAILED, "failed"),
    (FAILED, DEAD, ""),
    (WAITS, RUNS_ANEW._replace(n_restarts=1), "came_back"),
    (RUNS, RUNS_ANEW._replace(n_restarts=1), "came_back"),
    (RUNS, RUNS_ANEW._replace(n_restarts=1, last_exit="SIGSEGV"), "crashed"),
    (RUNS, RUNS_ANEW._replace(n_restarts=1, last_exit="3"), "crashed"),
    (RUNS, RUNS_ANEW._replace(n_restarts=1, last_exit="SIGTERM"), "came_back"),
    (RUNS, RUNS_ANEW._replace(n_restarts=1, last_exit="oom-kill"), "oom_killed"),
    # a loop is told at each doubling only; the same count over days is no loop
    (WAITS._replace(n_restarts=4), WAITS._replace(n_restarts=7, since=T0 + 10 * SECOND), ""),
    (WAITS._replace(n_restarts=7), WAITS._replace(n_restarts=9, since=T0 + 10 * SECOND), "crashed"),
    (RUNS._replace(n_restarts=5), RUNS_ANEW._replace(n_restarts=6, since=T0 + timedelta(days=1)), "came_back"),
    (None, RUNS, "appeared"),
    (RUNS, None, "gone"),
    (DEAD, None, "gone"),
    # instances come and go
    (None, RUNS._replace(name="a@1.service"), "started"),
    (RUNS._replace(name="a@1.service"), None, "stopped"),
    (DEAD._replace(name="a@1.service"), None, ""),
    (None, RUNS._replace(name="a@1.service", triggered_by='["a.socket"]'), ""),
]


@pytest.mark.parametrize(("was", "now", "kind"), CASES)
def test_two_lists_tell_what_happened(was: Seen | None, now: Seen | None, kind: str) -> None:
    assert service_events.kind_of(was, now) == kind


def test_it_happened_when_the_manager_says_by_the_hubs_clock() -> None:
    span = Span(T0 - 60 * SECOND, T0, timedelta(hours=3))
    told = RUNS_ANEW._replace(since=T0 + timedelta(hours=3) - 20 * SECOND)
    (event,) = service_events.events([Change(RUNS, told)], span, booted=False)
    assert (event.kind, event.at, event.facts) == ("restarted", T0 - 20 * SECOND, {"pidBefore": 1, "pidNow": 2})


@pytest.mark.parametrize(("since", "at"), [(timedelta(days=-9), -60 * SECOND), (timedelta(days=9), 0 * SECOND)])
def test_a_wrong_clock_places_it_between_the_two_lists(since: timedelta, at: timedelta) -> None:
    span = Span(T0 - 60 * SECOND, T0, timedelta(0))
    (event,) = service_events.events([Change(DEAD, RUNS._replace(since=T0 + since))], span, booted=False)
    assert event.at == T0 + at


def test_without_a_time_it_says_within_how_many_seconds() -> None:
    span = Span(T0 - 60 * SECOND, T0, timedelta(0))
    (event,) = service_events.events([Change(RUNS, DEAD._replace(since=None))], span, booted=False)
    assert (event.at, event.facts["withinSec"]) == (T0, 60.0)


def test_after_a_boot_only_what_is_otherwise_than_before_is_told() -> None:
    changes = [Change(RUNS, RUNS_ANEW), Change(RUNS._replace(name="b"), FAILED._replace(name="b"))]
    found = service_events.events(changes, Span(T0, T0, timedelta(0)), booted=True)
    assert [(event.name, event.kind) for event in found] == [("", "booted"), ("b", "crashed")]


NOW = timezone.now()


def store(server: Server, after: int, **facts: Any) -> None:
    sent = report(ts=NOW.timestamp() + after, sentAt=NOW.timestamp() + after, **facts)
    ingest.store(server, msgspec.convert(sent, Report), NOW + after * SECOND)


def kinds(server: Server, name: str | None = None) -> list[tuple[str, str]]:
    return [(event.name, event.kind) for event in service_history.newest(server.pk, 50, name=name)]


@pytest.mark.django_db
def test_events_are_kept_with_the_list_that_showed_them(web1: Server, db1: Server) -> None:
    store(web1, -30, services=[service("a.service"), service("b.service")])
    assert kinds(web1) == []  # the first list is no event
    since = (NOW - 12 * SECOND).isoformat()
    store(web1, -10, services=[service("a.service", mainPid=9, since=since), service("b.service")])
    assert kinds(web1) == [("a.service", "restarted")]
    ended = {"activeState": "failed", "mainPid": None, "result": "signal", "since": NOW.isoformat()}
    store(web1, 0, services=[service("a.service", **ended)])
    assert set(kinds(web1)[:2]) == {("b.service", "gone"), ("a.service", "crashed")}
    assert kinds(web1, "b.service") == [("b.service", "gone")]
    assert kinds(db1) == []
    restarted = service_history.newest(web1.pk, 50, name="a.service")[-1]
    assert abs(restarted.at - (NOW - 12 * SECOND)) < SECOND
    assert restarted.facts == {"pidBefore": 123, "pidNow": 9}


@pytest.mark.django_db
def test_a_boot_is_told_once_for_all(web1: Server) -> None:
    store(web1, -30, bootId="one", services=[service("a.service"), service("b.service")])
    store(web1, 0, bootId="two", services=[service("a.service", mainPid=7), service("b.service", mainPid=8)])
    assert kinds(web1) == kinds(web1, "a.service") == [("", "booted")]


@pytest.mark.django_db
def test_what_did_not_change_costs_nothing(web1: Server, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    store(web1, -30, services=[service()])
    # Savepoint, lock, release, and the table before, which is remembered only after a commit; the write goes past
    # Django's cursor.
    with django_assert_num_queries(4):
        store(web1, -20)
    with django_assert_num_queries(5):  # and the list
        store(web1, -10, services=[service()])
    with django_assert_num_queries(6):  # and what happened
        store(web1, 0, services=[service(mainPid=7)])
