"""A command's page, and commands on the server page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from actions import live as action_live
from actions import states
from actions.models import Command
from pmonitor.live import View
from servers.models import Server
from tests.actions.making import FAILED, RUNNING, RUNNING_ANEW, command, service
from tests.actions.pages import CONFIRM, finished, text

pytestmark = pytest.mark.django_db


# The command's page


def steps(shown: str) -> list[tuple[str, str]]:
    found = re.findall(r'<li data-state="(\w+)"[^>]*>.*?<b>([^<]+)</b>', shown, re.DOTALL)
    return [(state, word) for state, word in found]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (
            states.QUEUED,
            [("queued", "Queued"), ("todo", "Delivered"), ("todo", "Running"), ("todo", "Outcome")],
        ),
        (
            states.DELIVERED,
            [("succeeded", "Queued"), ("delivered", "Delivered"), ("todo", "Running"), ("todo", "Outcome")],
        ),
        (
            states.RUNNING,
            [("succeeded", "Queued"), ("succeeded", "Delivered"), ("running", "Running"), ("todo", "Outcome")],
        ),
        (
            states.UNKNOWN,
            [
                ("succeeded", "Queued"),
                ("succeeded", "Delivered"),
                ("succeeded", "Running"),
                ("unknown", "Outcome unknown"),
            ],
        ),
        (states.REFUSED, [("succeeded", "Queued"), ("succeeded", "Delivered"), ("refused", "Refused")]),
        (states.CANCELLED, [("succeeded", "Queued"), ("cancelled", "Cancelled")]),
        (states.EXPIRED, [("succeeded", "Queued"), ("expired", "Expired")]),
    ],
)
def test_the_steps_of_each_state(as_viewer: Client, web1: Server, state: str, expected: list[tuple[str, str]]) -> None:
    made = command(web1, state)
    shown = text(as_viewer.get(f"/commands/{made.uuid}/"))
    assert steps(shown) == expected
    assert shown.count('aria-current="step"') == (0 if state in states.ENDED else 1)


def test_a_success_shows_its_proof(as_operator: Client, operator: Any, web1: Server) -> None:
    service(web1)
    made = finished(web1, operator, before={**RUNNING, "memMB": 41.2}, after={**RUNNING_ANEW, "memMB": 39.9})
    shown = text(as_operator.get(f"/commands/{made.uuid}/"))
    assert "Succeeded, verified" in shown
    assert "Back and steady: active for 5 s. Main PID 456." in shown
    assert re.search(r"Main PID</th><td>123</td><td>456</td>", shown)
    assert re.search(r"Memory</th><td>41.2 MB</td><td>39.9 MB</td>", shown)
    assert "oleg, 198.51.100.23" in shown
    assert "Restart again…" in shown


def test_a_failure_shows_what_was_said_escaped_and_bounded(as_operator: Client, operator: Any, web1: Server) -> None:
    service(web1)
    log = ["<script>alert(1)</script>\x1b[31m", *("line" for _ in range(100))]
    made = finished(web1, operator, outcome="failed", exitCode=1, after=FAILED, output="<b>bold</b>", log=log[::-1])
    shown = text(as_operator.get(f"/commands/{made.uuid}/"))
    assert "It was stopped, and did not start again." in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;␛[31m" in shown
    assert "&lt;b&gt;bold&lt;/b&gt;" in shown
    assert "Try again…" in shown
    assert shown.count("line\n") < 30


def test_a_viewer_sees_no_buttons(as_viewer: Client, web1: Server) -> None:
    service(web1)
    for state in (states.QUEUED, states.SUCCEEDED):
        made = command(web1, state)
        shown = text(as_viewer.get(f"/commands/{made.uuid}/"))
        assert "data-act" not in shown
        assert "cancel/" not in shown


def test_another_scopes_command_is_not_found(as_outsider: Client, web1: Server) -> None:
    made = command(web1)
    assert as_outsider.get(f"/commands/{made.uuid}/").status_code == 404
    assert as_outsider.post(f"/commands/{made.uuid}/cancel/").status_code == 404


def test_a_command_costs_few_queries(
    as_operator: Client, web1: Server, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    made = command(web1, states.RUNNING)
    # session, user, role · the command with its server · its service · for the header the scope, and incidents
    with django_assert_num_queries(7):
        as_operator.get(f"/commands/{made.uuid}/")


# On the server page


def test_a_service_at_work_links_to_its_command_and_offers_nothing(as_operator: Client, web1: Server) -> None:
    service(web1)
    made = command(web1, states.RUNNING)
    shown = text(as_operator.get("/servers/srv-web-01/"))
    assert f'data-state="running" href="/commands/{made.uuid}/"' in shown
    assert "<span>Restarting</span>" in shown
    assert CONFIRM not in shown
    assert shown.count("disabled") >= 3


def test_only_what_the_owner_allows_is_offered(as_operator: Client, web1: Server) -> None:
    service(web1, verbs=["restart"])
    shown = text(as_operator.get("/servers/srv-web-01/"))
    assert CONFIRM in shown
    assert CONFIRM.replace("restart", "stop") not in shown


def test_what_the_owner_does_not_allow_is_greyed_out_with_the_reason(as_operator: Client, web1: Server) -> None:
    service(web1, verbs=["restart"], can=["start", "stop", "restart"])
    shown = text(as_operator.get("/servers/srv-web-01/"))
    why = "srv-web-01&#x27;s owner does not allow stop of nginx.service"
    assert f'disabled aria-label="Stop nginx.service" title="{why}">' in shown
    assert "the rest is greyed out." in shown
    assert CONFIRM in shown
    assert "Reload nginx.service" not in shown, "what the service cannot do is no one's decision"


def test_a_viewer_is_not_told_what_an_operator_may_not_do(as_viewer: Client, web1: Server) -> None:
    service(web1, verbs=[], can=["stop", "restart"])
    assert "does not allow" not in text(as_viewer.get("/servers/srv-web-01/"))


def test_an_owner_who_allows_nothing_is_said_so_with_the_way_to_change_it(as_operator: Client, web1: Server) -> None:
    service(web1, verbs=[])
    shown = text(as_operator.get("/servers/srv-web-01/"))
    assert "This server&#x27;s owner allows no actions." in shown
    assert "ALLOW=restart:nginx.service" in shown


def test_a_viewer_gets_no_action_column(as_viewer: Client, web1: Server) -> None:
    service(web1)
    shown = text(as_viewer.get("/servers/srv-web-01/"))
    assert CONFIRM not in shown
    assert ">Actions<" not in shown


def test_failed_services_alone_without_a_script(as_viewer: Client, web1: Server) -> None:
    service(web1)
    service(web1, "broken.service", active_state="failed")
    shown = text(as_viewer.get("/servers/srv-web-01/?ss=failed"))
    assert "broken.service" in shown
    assert "nginx.service" not in shown


def test_open_pages_get_the_row_that_moved_with_buttons_by_role(web1: Server) -> None:
    service(web1)
    service(web1, "other.service")
    watching = {role: action_live.services(str(web1.pk), View("en", role), None)[0] for role in ("viewer", "operator")}
    command(web1, states.RUNNING)
    for role, before in watching.items():
        _shown, (small, rows) = action_live.services(str(web1.pk), View("en", role), before)
        assert rows.count("<tr") == 1
        assert "Restarting" in rows
        assert ("disabled" in rows) == (role == "operator")
        assert 'id="svc-version"' in small


def test_open_pages_get_a_new_command_at_the_top(web1: Server) -> None:
    command(web1, states.SUCCEEDED)
    shown, _whole = action_live.commands(str(web1.pk), View("en", "viewer"), None)
    newest_one = command(web1)
    shown, (html,) = action_live.commands(str(web1.pk), View("en", "viewer"), shown)
    assert re.findall(r'<li id="cmd-(\d+)"', html)[0] == str(newest_one.pk)
    Command.objects.filter(pk=newest_one.pk).update(state=states.DELIVERED)
    _shown, (html,) = action_live.commands(str(web1.pk), View("en", "viewer"), shown)
    assert html.count("<li") == 1
