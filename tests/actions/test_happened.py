"""What happened to services, told apart from what commands did: its words, its list, its lane, its API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from actions import happened, happened_part, states
from actions.models import Command
from pmonitor.live import View
from servers import service_history
from servers.models import Server
from servers.service_events import KINDS, Event
from tests.actions.making import NGINX, ago, command, newest, service
from tests.actions.pages import text

pytestmark = pytest.mark.django_db
SERVER_PAGE = "/servers/srv-web-01/"
EVENTS = f"/api/servers/srv-web-01/services/{NGINX}/events"


def event(kind: str = "restarted", at: datetime | None = None, name: str = NGINX, **facts: Any) -> Event:
    return Event(name, at or ago(60), kind, facts)


def record(server: Server, *events: Event) -> None:
    service_history.record(server.pk, events)


def done(server: Server, began: float = 62, ended: float = 55, **columns: Any) -> Command:
    times = {"started_at": ago(began), "ended_at": ago(ended), "execute_by": ago(began - 120)}
    return command(server, states.SUCCEEDED, **{**times, **columns})


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (event("crashed", lastExit="SIGSEGV"), "nginx.service crashed (SIGSEGV)"),
        (event("crashed", lastExit="SIGKILL"), "nginx.service was killed (SIGKILL)"),
        (event("crashed", lastExit="7"), "nginx.service ended with status 7"),
        (event("crashed"), "nginx.service died"),
        (event("oom_killed"), "nginx.service was killed because the memory was used up"),
        (event("booted", name=""), "The server was booted"),
    ],
)
def test_a_sentence_says_what_happened(made: Event, sentence: str) -> None:
    assert happened.Told(made, None).title == sentence


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_sentence_and_a_glyph(web1: Server, kind: str) -> None:
    record(web1, event(kind, pidBefore=1, pidNow=2, restarts=3, result="x", runs=True))
    assert "%" not in happened_part.panel(web1)["list"]


@pytest.mark.parametrize(
    ("columns", "ours"),
    [
        ({}, True),
        ({"began": 58}, True),  # the manager tells whole seconds
        ({"began": 40, "ended": 30}, False),
        ({"began": 100, "ended": 80}, False),
        ({"target": "other.service"}, False),
        ({"began": 300, "ended": 10, "execute_by": ago(200)}, False),  # its answer came late: it was not at work
    ],
)
def test_an_event_is_a_commands_when_that_was_at_work_then(web1: Server, columns: Any, ours: bool) -> None:
    there = done(web1, **columns)
    record(web1, event())
    (told,) = happened.newest(web1.pk, 5)
    assert told.command == (there if ours else None)


def test_without_a_time_the_whole_while_between_two_lists_counts(web1: Server) -> None:
    there = done(web1, began=100, ended=90)
    record(web1, event(withinSec=60))
    assert happened.newest(web1.pk, 5)[0].command == there


def test_another_servers_command_did_nothing_here(web1: Server, web2: Server) -> None:
    done(web2)
    record(web1, event())
    assert happened.newest(web1.pk, 5)[0].command is None


def test_the_page_tells_ours_from_others(as_viewer: Client, web1: Server) -> None:
    newest(web1)
    there = done(web1)
    record(web1, event(), event("crashed", ago(30), lastExit="SIGSEGV", pidBefore=9))
    page = text(as_viewer.get(SERVER_PAGE))
    assert "nginx.service crashed (SIGSEGV)" in page
    assert page.count("Without a command") == 1
    assert f'<a href="/commands/{there.uuid}/">Restart by oleg</a>' in page
    lane = page[page.index('id="lane-happened"') : page.index('id="lane-cpu"')]
    assert lane.count('id="mark-ev-') == 1, "the commands' own lane shows what they did"
    assert 'data-topic="happened:' in page


def test_a_services_page_shows_its_own(as_viewer: Client, web1: Server) -> None:
    service(web1)
    record(web1, event("crashed", lastExit="7"), event(name="other.service"), event("booted", ago(90), ""))
    page = text(as_viewer.get(f"/servers/srv-web-01/services/{NGINX}/"))
    assert "nginx.service ended with status 7" in page
    assert "The server was booted" in page
    assert "other.service" not in page
    assert f'data-topic="happened:{web1.pk}/{NGINX}"' in page


def test_nothing_happened_is_said(as_viewer: Client, web1: Server) -> None:
    assert "Nothing has happened here yet." in text(as_viewer.get(SERVER_PAGE))


def test_a_crash_while_a_command_is_at_work_is_not_its_doing(web1: Server) -> None:
    done(web1)
    record(web1, event("crashed"))
    assert "during Restart by oleg" in happened_part.panel(web1)["list"]


def test_the_topic_moves_with_events_and_with_whose_they_are(web1: Server) -> None:
    view = View("en", "viewer")
    first, _parts = happened_part.update(str(web1.pk), view)
    record(web1, event())
    second, parts = happened_part.update(str(web1.pk), view)
    assert "Without a command" in parts["list"]
    done(web1)
    third, parts = happened_part.update(f"{web1.pk}/{NGINX}", view)
    assert "Restart by oleg" in parts["list"]
    assert len({first, second, third}) == 3


def test_only_servers_in_scope_are_watched(viewer: Any, web1: Server, db1: Server) -> None:
    keys = {f"{web1.pk}", f"{web1.pk}/{NGINX}", f"{db1.pk}", f"{db1.pk}/{NGINX}", "x/y", ""}
    assert happened_part.may_watch(viewer, keys) == {f"{web1.pk}", f"{web1.pk}/{NGINX}"}


def test_the_api_pages_through_them(as_viewer: Client, web1: Server) -> None:
    there = done(web1)
    record(web1, event(pidNow=2), event("stopped", ago(30)), event("gone", ago(20), "other.service"))
    answer = as_viewer.get(EVENTS, {"limit": 1}).json()
    assert [(one["service"], one["kind"], one["command"]) for one in answer["events"]] == [(NGINX, "stopped", None)]
    answer = as_viewer.get(EVENTS, {"limit": 5, "before": answer["next"]}).json()
    (last,) = answer["events"]
    assert (last["kind"], last["command"], last["askedBy"], last["facts"]) == (
        "restarted", str(there.uuid), "oleg", {"pidNow": 2},
    )  # fmt: skip
    assert answer["next"] is None
    everything = as_viewer.get("/api/servers/srv-web-01/events").json()["events"]
    assert [one["kind"] for one in everything] == ["gone", "stopped", "restarted"]


def test_the_api_refuses_what_is_wrong_or_not_in_scope(as_viewer: Client, as_outsider: Client, web1: Server) -> None:
    assert as_outsider.get(EVENTS).status_code == 404
    assert as_viewer.post(EVENTS).status_code == 405
    wrong = as_viewer.get(EVENTS, {"limit": "0", "before": "x"})
    assert (wrong.status_code, set(wrong.json()["fields"])) == (400, {"limit", "before"})


def test_a_success_that_did_not_last_says_so(as_viewer: Client, web1: Server) -> None:
    service(web1)
    there = done(web1)
    before = text(as_viewer.get(f"/commands/{there.uuid}/"))
    assert "It did not stay so." not in before
    record(web1, event("crashed", ago(49), lastExit="SIGSEGV"))
    assert "It did not stay so. nginx.service crashed (SIGSEGV)" in text(as_viewer.get(f"/commands/{there.uuid}/"))
    done(web1, began=50, ended=46, cmd="stop")
    Command.objects.filter(pk=there.pk).update(ended_at=timezone.now() - timedelta(minutes=30))
    assert "It did not stay so." not in text(as_viewer.get(f"/commands/{there.uuid}/")), "too long after"
