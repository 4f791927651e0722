"""Every kind of service by the whole path: how its commands end, and what its history tells of the host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.hub import Hub
from tests.hosts import units
from tests.hosts.agent_install import install_agent
from tests.hosts.host import Host
from tests.hosts.hub_api import REPORTED_WITHIN, Api
from tests.hosts.lab import Lab
from tests.hosts.waiting import eventually

SOCKET = units.SOCKET_STARTED.replace(".service", ".socket")
UP = (units.OK, units.SOCKET_STARTED, units.NICKNAMED, units.INSTANCE, units.COMES_BACK)
AT_ONCE = 5  # each is watched by two calls of systemctl a second
# verb, service as asked, seconds it may take -> state, verdict
ASKED = [
    ("reload", units.OK, 60, "succeeded", "reloaded"),
    ("start", units.DIES_SOON, 60, "failed", "died"),
    ("start", units.ENDS_SOON, 60, "failed", "ended_soon"),
    ("start", units.FAILS_TO_START, 60, "failed", "not_started"),
    ("start", units.RESTART_LOOP, 60, "failed", "keeps_dying"),
    ("start", units.START_LIMIT, 60, "failed", "start_limit"),
    ("start", units.NEVER_READY, 5, "unknown", "never_ready"),
    ("start", units.NOT_READY, 60, "failed", "not_ready"),
    ("start", units.ONESHOT, 60, "succeeded", "ran_to_end"),
    ("start", units.ONESHOT_STAYS, 60, "succeeded", "started"),
    ("start", units.STATIC, 60, "succeeded", "started"),
    ("stop", units.SOCKET_STARTED, 60, "succeeded", "stopped"),
    ("restart", units.NICKNAME, 60, "succeeded", "restarted"),
    ("stop", units.INSTANCE, 60, "succeeded", "stopped"),
]


@pytest.fixture(scope="module")
def server(lab: Lab, hub: Hub) -> Iterator[Host]:
    (host,) = lab.boot("srv-truth")
    units.install_units(host)
    host.systemctl("start", SOCKET, *UP)
    install_agent(host, hub.url, hub.enrolment_key, "start,stop,restart,reload:pm-*.service")
    yield host
    lab.discard(host)


@pytest.fixture(scope="module")
def listed(hub: Hub, server: Host) -> Api:
    api = Api(hub, "srv-truth")
    eventually(lambda: api.service(units.OK), bool, REPORTED_WITHIN)
    return api


@pytest.fixture(scope="module")
def ended(listed: Api) -> dict[str, dict[str, Any]]:
    """All of them asked for, some at once, and ended, by the name they were asked by."""
    found = {}
    for first in range(0, len(ASKED), AT_ONCE):
        asked = {target: listed.ask(cmd, target, secs) for cmd, target, secs, *_end in ASKED[first : first + AT_ONCE]}
        found.update({target: listed.outcome(command) for target, command in asked.items()})
    return found


def events(api: Api, name: str) -> list[tuple[str, bool]]:
    """What happened to a service, oldest first, and whether a command did it."""
    found = api.get(f"servers/srv-truth/services/{name}/events")["events"]
    return [(one["kind"], one["command"] is not None) for one in reversed(found)]


@pytest.mark.parametrize(("cmd", "target", "_seconds", "state", "verdict"), ASKED)
def test_each_kind_ends_with_the_right_words(
    ended: dict[str, dict[str, Any]], cmd: str, target: str, _seconds: int, state: str, verdict: str
) -> None:
    done = ended[target]
    assert (done["state"], done["verdict"]) == (state, verdict), done


def test_the_words_name_what_proves_them(ended: dict[str, dict[str, Any]]) -> None:
    assert "Its main process ended with status 1." in ended[units.DIES_SOON]["sentence"]
    assert "Its main process ended with status 7." in ended[units.RESTART_LOOP]["sentence"]
    assert f"Its socket ({SOCKET}) starts it again" in ended[units.SOCKET_STARTED]["sentence"]
    assert "It died 3 times before that." in ended[units.START_LIMIT]["sentence"]
    assert ended[units.NICKNAME]["target"] == units.NICKNAMED


@pytest.mark.parametrize(
    ("target", "status"), [(units.MASKED, 409), (units.TEMPLATE, 400), ("pm-nothing.service", 400)]
)
def test_what_cannot_be_started_is_not_offered(listed: Api, target: str, status: int) -> None:
    assert listed.post("start", target).status_code == status
    assert not listed.service(target).get("verbs")


def test_an_instance_that_was_stopped_can_be_started_again(listed: Api, ended: dict[str, dict[str, Any]]) -> None:
    assert listed.outcome(listed.ask("start", units.INSTANCE))["state"] == "succeeded"


def test_an_open_outcome_is_settled_by_the_reports(server: Host, listed: Api, ended: dict[str, dict[str, Any]]) -> None:
    server.systemctl("stop", units.NEVER_READY)
    command = ended[units.NEVER_READY]["id"]
    done = eventually(lambda: listed.get(f"commands/{command}"), lambda c: c["state"] == "failed", REPORTED_WITHIN)
    assert done["verdict"] in ("not_started", "not_ready"), "stopped by hand, or ended by its manager"


def test_what_happened_without_us_is_told_apart(server: Host, listed: Api, ended: dict[str, dict[str, Any]]) -> None:
    eventually(lambda: events(listed, units.NICKNAMED), lambda e: e == [("restarted", True)], REPORTED_WITHIN)
    eventually(lambda: events(listed, units.STATIC), lambda e: e == [("started", True)], REPORTED_WITHIN)
    server.systemctl("kill", "--signal=SEGV", "--kill-whom=main", units.OK, units.COMES_BACK)
    server.systemctl("restart", units.NICKNAMED)
    server.systemctl("stop", units.STATIC)
    eventually(lambda: events(listed, units.OK)[-1:], lambda e: e == [("crashed", False)], REPORTED_WITHIN)
    eventually(lambda: events(listed, units.COMES_BACK), lambda e: e == [("crashed", False)], REPORTED_WITHIN)
    ours_then_theirs = [("restarted", True), ("restarted", False)], [("started", True), ("stopped", False)]
    eventually(lambda: events(listed, units.NICKNAMED), lambda e: e == ours_then_theirs[0], REPORTED_WITHIN)
    eventually(lambda: events(listed, units.STATIC), lambda e: e == ours_then_theirs[1], REPORTED_WITHIN)
    (crash,) = listed.get(f"servers/srv-truth/services/{units.COMES_BACK}/events")["events"]
    assert crash["sentence"] == f"{units.COMES_BACK} crashed (SIGSEGV)"
    assert crash["facts"]["runs"], "it came back by itself"
    assert len(events(listed, units.RESTART_LOOP)) < 12, "a loop is told at each doubling of its restarts"
