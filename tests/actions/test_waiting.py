"""What waits for its server: the panel on the dashboard and the server page, who sees it, and taking it back there."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from actions import in_flight, states, waiting
from actions.models import Command
from pmonitor import live
from pmonitor.live import View
from servers import fleet
from servers.models import Server
from servers.states import SILENT, UP
from tests.actions.making import ago, command
from tests.actions.pages import text

pytestmark = pytest.mark.django_db
OPERATOR, VIEWER = View("en", "operator"), View("en", "viewer")
HTMX = {"HX-Request": "true"}


@pytest.fixture
def kept(web1: Server) -> Command:
    """A restart kept a day for a server that is silent."""
    Server.objects.filter(pk=web1.pk).update(state=SILENT)
    return command(web1, deliver_by=timezone.now() + timedelta(hours=24), reason="New TLS certificate")


def waits(page: str) -> list[str]:
    """The numbers of the commands in the panel."""
    return re.findall(r'<li id="wait-(\d+)"', page)


@pytest.mark.parametrize("address", ["/", "/servers/srv-web-01/"])
def test_it_says_what_for_whom_since_and_until_when(as_operator: Client, kept: Command, address: str) -> None:
    shown = text(as_operator.get(address))
    panel = shown[shown.index('id="waiting"') :]
    panel = panel[: panel.index("</section>")]
    assert waits(panel) == [str(kept.pk)]
    for said in ("Restart nginx.service", "silent", "oleg", "New TLS certificate", f"{kept.deliver_by:%H:%M:%S} UTC"):
        assert said in panel
    assert f'action="/commands/{kept.uuid}/cancel/"' in panel
    assert "csrfmiddlewaretoken" in panel  # it works without scripts
    assert ("srv-web-01" in re.sub("<[^>]+>", "", panel)) == (address == "/")


def test_a_viewer_sees_it_and_cannot_cancel(as_viewer: Client, kept: Command) -> None:
    shown = text(as_viewer.get("/"))
    assert waits(shown) == [str(kept.pk)]
    assert "/cancel/" not in shown


def test_another_scopes_commands_are_not_shown(as_outsider: Client, kept: Command, db1: Server) -> None:
    shown = text(as_outsider.get("/"))
    assert waits(shown) == []
    assert re.search('id="waiting"[^>]* hidden', shown)


@pytest.mark.parametrize(
    ("state", "age", "server", "shown"),
    [
        (states.QUEUED, 0, UP, False),  # its agent takes it at once
        (states.QUEUED, 6, UP, True),
        (states.QUEUED, 0, SILENT, True),
        (states.DELIVERED, 6, SILENT, False),
        (states.EXPIRED, 6, SILENT, False),
    ],
)
def test_what_waits(web1: Server, state: str, age: float, server: str, shown: bool) -> None:
    Server.objects.filter(pk=web1.pk).update(state=server)
    command(web1, state, created_at=ago(age))
    _version, parts = waiting.of_server(str(web1.pk), VIEWER)
    assert bool(waits(parts["waiting"])) == shown
    total = in_flight.total(Server.objects.all())
    assert (total.note == "1 waits") == shown


def test_those_that_end_first_come_first_and_many_fold(web1: Server) -> None:
    made = [
        command(web1, target=f"{n}.service", created_at=ago(9), deliver_by=timezone.now() + timedelta(hours=9 - n))
        for n in range(waiting.FIRST + 2)
    ]
    html = waiting.of_scope("all", OPERATOR)[1]["waiting"]
    assert waits(html) == [str(one.pk) for one in reversed(made)]
    assert "2 more</summary>" in html


def test_only_so_many_rows_are_shown(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MOST", 3)
    for n in range(5):
        command(web1, target=f"{n}.service", created_at=ago(9))
    html = waiting.of_scope("all", OPERATOR)[1]["waiting"]
    assert len(waits(html)) == 3
    assert '<span class="count">3+</span>' in html


def test_cancelling_in_the_panel_shows_the_panel_as_it_is_then(as_operator: Client, kept: Command) -> None:
    topic = f"waiting:{fleet.scope_of(User.objects.get(username='oleg'))}"
    shown = text(as_operator.post(f"/commands/{kept.uuid}/cancel/", {"waiting": topic}, headers=HTMX))
    kept.refresh_from_db()
    assert kept.state == states.CANCELLED
    assert shown.startswith('<section class="panel" id="waiting"')
    assert waits(shown) == []


def test_cancelling_too_late_says_so_in_the_panel(as_operator: Client, kept: Command) -> None:
    Command.objects.update(state=states.RUNNING)
    asked = {"waiting": f"waits:{kept.server_id}"}
    shown = text(as_operator.post(f"/commands/{kept.uuid}/cancel/", asked, headers=HTMX))
    assert "Too late to cancel: the command is running already." in shown


@pytest.mark.parametrize("topic", ["waiting:all", "waits:99999", "waits:x", "nonsense", "fleet:all", ""])
def test_another_scopes_panel_is_not_answered(as_operator: Client, kept: Command, topic: str) -> None:
    shown = text(as_operator.post(f"/commands/{kept.uuid}/cancel/", {"waiting": topic}, headers=HTMX))
    assert shown.startswith("<article")


def test_a_viewer_may_not_cancel_there(as_viewer: Client, kept: Command) -> None:
    asked = {"waiting": f"waits:{kept.server_id}"}
    assert as_viewer.post(f"/commands/{kept.uuid}/cancel/", asked, headers=HTMX).status_code == 403


# Live


def test_the_push_depends_on_the_role_and_on_nothing_else(kept: Command) -> None:
    scope = str(kept.server.group_id)
    version, parts = waiting.of_scope(scope, OPERATOR)
    assert "/cancel/" in parts["waiting"]
    again, seen = waiting.of_scope(scope, VIEWER)
    assert "/cancel/" not in seen["waiting"]
    assert version == again
    Command.objects.update(state=states.CANCELLED)
    assert waiting.of_scope(scope, OPERATOR)[0] != version


def test_panels_are_watched_only_in_scope(viewer: User, outsider: User, kept: Command) -> None:
    scope, server = str(kept.server.group_id), str(kept.server_id)
    assert live.TOPICS["waiting"].may_watch(viewer, {scope, "all"}) == {scope}
    assert live.TOPICS["waits"].may_watch(viewer, {server}) == {server}
    assert live.TOPICS["waiting"].may_watch(outsider, {scope, "all"}) == set()
    assert live.TOPICS["waits"].may_watch(outsider, {server}) == set()


@pytest.mark.parametrize(("age", "told"), [(0, False), (6, True), (60, False)])
def test_the_worker_tells_of_those_that_begin_to_wait(
    web1: Server, monkeypatch: pytest.MonkeyPatch, age: float, told: bool
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(live, "announce", lambda *topics: heard.extend(topics))
    command(web1, created_at=ago(age))
    waiting.announce_late()
    assert heard == (["waiting:all", "fleet:all", f"waits:{web1.pk}"] if told else [])


def test_the_panel_is_one_query(web1: Server, web2: Server, django_assert_num_queries: Any) -> None:
    for n in range(20):
        command(web1 if n % 2 else web2, target=f"{n}.service", created_at=ago(9))
    with django_assert_num_queries(1):
        waiting.of_scope("all", OPERATOR)
