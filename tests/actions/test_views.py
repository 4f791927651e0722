"""Confirming, following and cancelling a command on its pages, and reading the audit trail."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from actions import ask, lifecycle, states
from actions import live as action_live
from actions.models import AuditEntry, Command
from pmonitor.live import View
from servers.models import Server
from servers.states import SILENT
from tests.actions.making import FAILED, NGINX, RUNNING, RUNNING_ANEW, ago, command, newest, result, service

pytestmark = pytest.mark.django_db
CONFIRM = f"/servers/srv-web-01/services/{NGINX}/restart/"
GIVEN = {"reason": "New TLS certificate", "within": "600", "main_pid": "123", "start_ticks": "4711"}
HTMX = {"HX-Request": "true"}


def text(answer: HttpResponse, status: int = 200) -> str:
    assert answer.status_code == status
    return answer.content.decode()


# Before acting


def test_the_confirmation_says_what_where_now_and_impact(as_operator: Client, web1: Server) -> None:
    service(web1, tasks=9)
    for seconds in (1.8, 2.6):
        end = timezone.now()
        command(web1, states.SUCCEEDED, started_at=ago(seconds), ended_at=end)
    shown = text(as_operator.get(CONFIRM))
    assert "Restart nginx.service on srv-web-01?" in shown
    assert "<code>systemctl restart nginx.service</code>" in shown
    assert "main PID 123, 9 processes" in shown
    assert "Its 9 processes end and start again. Last 2 restarts here: all succeeded, 1.8 to 2.6 s." in shown
    assert "Restart nginx</button>" in shown


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ([states.FAILED], "Last restart here: failed, 1.0 s."),
        ([states.SUCCEEDED, states.FAILED], "Last 2 restarts here: 1 of 2 succeeded, 1.0 s."),
        ([states.CANCELLED], "Its processes end and start again. </dd>"),
    ],
)
def test_the_impact_tells_how_it_went_before(as_operator: Client, web1: Server, ended: list[str], said: str) -> None:
    service(web1)
    for state in ended:
        at = timezone.now()
        started = None if state == states.CANCELLED else at - timedelta(seconds=1)
        command(web1, state, started_at=started, ended_at=at)
    assert said in text(as_operator.get(CONFIRM))


def test_a_silent_servers_confirmation_says_that_the_command_waits(as_operator: Client, web1: Server) -> None:
    service(web1)
    Server.objects.filter(pk=web1.pk).update(state=SILENT)
    assert "srv-web-01 is silent. The command waits for it" in text(as_operator.get(CONFIRM))


def test_htmx_gets_the_dialog_alone(as_operator: Client, web1: Server) -> None:
    service(web1)
    assert text(as_operator.get(CONFIRM, headers=HTMX)).startswith('<form class="confirm"')


@pytest.mark.parametrize("address", [CONFIRM.replace("restart", "explode"), CONFIRM.replace("nginx", "none")])
def test_an_unknown_verb_or_service_is_not_found(as_operator: Client, web1: Server, address: str) -> None:
    service(web1)
    assert as_operator.get(address).status_code == 404


def test_another_scopes_service_is_not_found(as_outsider: Client, web1: Server) -> None:
    service(web1)
    assert as_outsider.get(CONFIRM).status_code == 404
    assert as_outsider.post(CONFIRM, GIVEN).status_code == 404


def test_a_viewer_may_not_act(as_viewer: Client, web1: Server) -> None:
    service(web1)
    assert as_viewer.get(CONFIRM).status_code == 403
    assert as_viewer.post(CONFIRM, GIVEN).status_code == 403
    assert not Command.objects.exists()


# Acting


def test_confirming_queues_the_command_as_it_was_meant(as_operator: Client, web1: Server) -> None:
    service(web1)
    answer = as_operator.post(CONFIRM, GIVEN)
    made = Command.objects.get()
    assert answer["Location"] == f"/commands/{made.uuid}/"
    assert (made.cmd, made.target, made.reason, made.state) == ("restart", NGINX, "New TLS certificate", states.QUEUED)
    assert made.expect == {"mainPid": 123, "startTicks": 4711}
    assert (made.deliver_by - made.created_at).total_seconds() == 600
    assert (made.asked_by_name, made.asked_from) == ("oleg", "127.0.0.1")


def test_htmx_gets_the_row_as_it_is_now(as_operator: Client, web1: Server) -> None:
    row = service(web1)
    answer = as_operator.post(CONFIRM, GIVEN, headers=HTMX)
    shown = text(answer)
    assert answer["HX-Trigger-After-Swap"] == "pm:asked"
    assert f'<template><tr id="svc-{row.pk}" hx-swap-oob="true"' in shown
    assert "Queued" in shown
    assert "Restart nginx.service is queued." in shown
    assert f"/commands/{Command.objects.get().uuid}/" in shown


def test_from_a_commands_page_one_goes_on_to_the_new_commands_page(as_operator: Client, web1: Server) -> None:
    service(web1)
    old = command(web1, states.SUCCEEDED)
    headers = {**HTMX, "HX-Current-URL": f"http://testserver/commands/{old.uuid}/"}
    answer = as_operator.post(CONFIRM, GIVEN, headers=headers)
    assert answer["HX-Redirect"] == f"/commands/{Command.objects.first().uuid}/"


def test_confirming_twice_makes_one_command(as_operator: Client, web1: Server) -> None:
    service(web1)
    as_operator.post(CONFIRM, GIVEN)
    shown = text(as_operator.post(CONFIRM, GIVEN, headers=HTMX))
    assert Command.objects.count() == 1
    assert "was already asked for by oleg; you joined." in shown


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201])
def test_a_wrong_reason_comes_back_with_what_was_typed(as_operator: Client, web1: Server, reason: str) -> None:
    service(web1)
    shown = text(as_operator.post(CONFIRM, {**GIVEN, "reason": reason}), 400)
    assert 'aria-invalid="true" aria-describedby="why-e why-h"' in shown
    assert f'value="{reason}"' in shown
    assert '<option value="600" selected>' in shown
    assert not Command.objects.exists()


@pytest.mark.parametrize("wrong", [{"within": "5"}, {"within": ""}, {"main_pid": "x"}])
def test_other_wrong_fields_are_said(as_operator: Client, web1: Server, wrong: dict[str, str]) -> None:
    service(web1)
    assert 'id="confirm-problem"' in text(as_operator.post(CONFIRM, {**GIVEN, **wrong}), 400)


def test_what_the_owner_does_not_allow_is_said_in_the_dialog(as_operator: Client, web1: Server) -> None:
    service(web1, verbs=[])
    shown = text(as_operator.post(CONFIRM, GIVEN, headers=HTMX))
    assert "The agent of this server does not offer to restart nginx.service." in shown
    assert 'value="New TLS certificate"' in shown
    assert "The agent of this server" in text(as_operator.post(CONFIRM, GIVEN), 409)


def test_too_many_commands_are_refused_with_a_wait(as_operator: Client, web1: Server, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "actions": (1, 60)}
    service(web1)
    as_operator.post(CONFIRM, GIVEN)
    answer = as_operator.post(CONFIRM, GIVEN)
    assert "Too many requests" in text(answer, 429)
    assert int(answer["Retry-After"]) <= 60


def test_cancelling_takes_it_back(as_operator: Client, web1: Server) -> None:
    service(web1)
    made = command(web1)
    answer = as_operator.post(f"/commands/{made.uuid}/cancel/")
    assert answer["Location"] == f"/commands/{made.uuid}/"
    shown = text(as_operator.get(answer["Location"]))
    assert "Taken back by oleg before delivery. It never ran." in shown


def test_cancelling_too_late_says_how_far_it_is(as_operator: Client, web1: Server) -> None:
    made = command(web1, states.RUNNING)
    shown = text(as_operator.post(f"/commands/{made.uuid}/cancel/", headers=HTMX))
    assert shown.startswith("<article")
    assert 'role="alert"' in shown
    made.refresh_from_db()
    assert made.state == states.RUNNING


def test_a_viewer_may_not_cancel(as_viewer: Client, web1: Server) -> None:
    made = command(web1)
    assert as_viewer.post(f"/commands/{made.uuid}/cancel/").status_code == 403
    assert as_viewer.get(f"/commands/{made.uuid}/cancel/").status_code == 403


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
            [("succeeded", "Queued"), ("succeeded", "Delivered"), ("succeeded", "Running"), ("unknown", "Timed out")],
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


def finished(server: Server, user: Any, **fields: Any) -> Command:
    """A restart that went its whole way."""
    made = ask.ask(user, server, "restart", NGINX, reason="x", address="198.51.100.23").command
    lifecycle.claim(server)
    lifecycle.acknowledge(server, made.uuid)
    lifecycle.finish(server, made.uuid, result(**fields))
    return made


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
    with django_assert_num_queries(5):  # session, user, role · the command with its server · its service
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


# The audit trail


@pytest.fixture
def trail(operator: Any, web1: Server, db1: Server, admin: Any) -> list[int]:
    """A restart of web1's nginx that went well, and one of db1's that is queued."""
    for server in (web1, db1):
        service(server)
    newest(web1)
    finished(web1, operator)
    ask.ask(admin, db1, "restart", NGINX, reason="kernel")
    return list(AuditEntry.objects.order_by("-id").values_list("id", flat=True))


def listed(shown: str) -> list[int]:
    return [int(number) for number in re.findall(r'<tr id="act-(\d+)"', shown)]


def test_the_trail_is_newest_first_and_links_to_commands(as_admin: Client, trail: list[int]) -> None:
    shown = text(as_admin.get("/audit/"))
    assert listed(shown) == trail
    assert shown.count('<a href="/commands/') == len(trail)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?q=kernel", 1),
        ("?q=nginx", 5),
        ("?who=oleg", 1),
        ("?who=agent srv-web-01", 3),
        ("?state=succeeded", 1),
        ("?server=srv-db-01", 1),
        ("?from=2020-01-01&to=2020-01-02", 0),
        ("?from=2020-01-01", 5),
    ],
)
def test_filters(as_admin: Client, trail: list[int], query: str, count: int) -> None:
    shown = text(as_admin.get(f"/audit/{query}"))
    assert len(listed(shown)) == count
    assert shown.count("Remove filter") == query.count("=")
    lines = b"".join(as_admin.get(f"/audit.csv{query}")).decode().splitlines()  # type: ignore[arg-type]
    assert len(lines) == count + 1


def test_nothing_found_says_so_with_the_way_back(as_admin: Client, trail: list[int]) -> None:
    assert "No record matches these filters." in text(as_admin.get("/audit/?q=nothing+like+this"))


def test_an_empty_trail_says_so(as_admin: Client) -> None:
    assert "Nothing has been asked of any server yet." in text(as_admin.get("/audit/"))


def test_a_wrong_day_is_said_beside_its_field(as_admin: Client, trail: list[int]) -> None:
    shown = text(as_admin.get("/audit/?from=yesterday"))
    assert 'aria-invalid="true" aria-describedby="from-e"' in shown
    assert "Use a moment such as" in shown
    assert as_admin.get("/audit.csv?from=yesterday").status_code == 400


def test_one_sees_the_trail_of_ones_own_servers(as_viewer: Client, trail: list[int]) -> None:
    shown = text(as_viewer.get("/audit/"))
    assert len(listed(shown)) == 4
    assert "kernel" not in shown
    assert b"kernel" not in b"".join(as_viewer.get("/audit.csv"))  # type: ignore[arg-type]


def test_pages_go_to_older_and_back_to_newer(as_admin: Client, web1: Server) -> None:
    entries = [AuditEntry(at=timezone.now(), event="command.queued", actor=str(n), server=web1) for n in range(120)]
    AuditEntry.objects.bulk_create(entries)
    everything = list(AuditEntry.objects.order_by("-id").values_list("id", flat=True))
    first = text(as_admin.get("/audit/"))
    assert listed(first) == everything[:50]
    assert "Newer</a>" not in first
    second = text(as_admin.get("/audit/" + re.findall(r'href="(\?[^"]*before=\d+)"', first)[0]))
    assert listed(second) == everything[50:100]
    back = text(as_admin.get("/audit/" + re.findall(r'href="(\?[^"]*after=\d+)"', second)[0]))
    assert listed(back) == everything[:50]


def test_newer_records_are_counted_and_not_pushed(as_admin: Client, trail: list[int]) -> None:
    shown = text(as_admin.get(f"/audit/newer/?q=nginx&after={trail[2]}"))
    assert "2 newer records, show" in shown
    assert 'href="?q=nginx"' in shown
    assert text(as_admin.get(f"/audit/newer/?after={trail[0]}")).strip() == ""
    _shown, (html,) = action_live.TOPICS["audit"].update("all", View("en", "viewer"), None)
    assert "nginx" not in html


def test_the_trail_costs_few_queries(
    as_viewer: Client, trail: list[int], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(7):  # session, user, role · the records · people · newest · count
        as_viewer.get("/audit/")
