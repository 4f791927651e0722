"""Confirming a command, giving it and taking it back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from actions import states
from actions.models import Command
from servers.models import Server
from servers.states import SILENT
from tests.actions.making import NGINX, ago, command, service
from tests.actions.pages import CONFIRM, text

pytestmark = pytest.mark.django_db
GIVEN = {"reason": "New TLS certificate", "within": "600", "main_pid": "123", "start_ticks": "4711"}
HTMX = {"HX-Request": "true"}


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


@pytest.mark.parametrize(
    ("right", "wrong"), [("restart", "explode"), ("nginx", "none"), ("nginx", "a%00"), ("srv-", "%00")]
)
def test_what_is_not_there_is_not_found(as_operator: Client, web1: Server, right: str, wrong: str) -> None:
    service(web1)
    assert as_operator.get(CONFIRM.replace(right, wrong)).status_code == 404


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
    assert answer["HX-Redirect"] == f"/commands/{Command.objects.latest('id').uuid}/"


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


@pytest.mark.parametrize("wrong", [{"within": "5"}, {"within": ""}, {"main_pid": "x"}, {"start_ticks": "9" * 19}])
def test_other_wrong_fields_are_said(as_operator: Client, web1: Server, wrong: dict[str, str]) -> None:
    service(web1)
    assert 'id="confirm-problem"' in text(as_operator.post(CONFIRM, {**GIVEN, **wrong}), 400)


@pytest.mark.parametrize(
    ("zone", "kept"),
    [({}, "26 12:00"), ({"zone": "Europe/Bucharest"}, "26 10:00"), ({"zone": "Nowhere/Else"}, "26 12:00")],
)
def test_a_command_is_kept_until_a_date_in_the_zone_the_page_names(
    as_operator: Client, web1: Server, monkeypatch: pytest.MonkeyPatch, zone: dict[str, str], kept: str
) -> None:
    service(web1)
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 11, 25, 9, tzinfo=UTC))
    as_operator.post(CONFIRM, {**GIVEN, "within": "until", "until": "2026-11-26T12:00", **zone})
    assert f"{Command.objects.get().deliver_by:%d %H:%M}" == kept


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("", "Say until when it may wait."),
        ("soon", "Write a date and time such as 2026-11-28 03:00."),
        ("2026-02-30T12:00", "Write a date and time"),
        ("2026-11-25T09:00", "Choose a time that is not over yet."),
        ("2026-12-26T09:00", "Choose a time in the next 30 days."),
        ("9999-12-31T23:59", "Choose a time in the next 30 days."),
    ],
)
def test_a_wrong_date_is_said_at_its_field_and_nothing_typed_is_lost(
    as_operator: Client, web1: Server, monkeypatch: pytest.MonkeyPatch, until: str, said: str
) -> None:
    service(web1)
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 11, 25, 9, tzinfo=UTC))
    shown = text(as_operator.post(CONFIRM, {**GIVEN, "within": "until", "until": until}), 400)
    assert (
        f'id="until-e"><svg class="g" viewBox="0 0 16 16" aria-hidden="true"><use href="#g-failed"/></svg>{said}'
        in shown
    )
    assert f'name="until" value="{until}" aria-invalid="true"' in shown
    assert '<option value="until" selected>' in shown
    assert 'value="New TLS certificate"' in shown
    assert not Command.objects.exists()


def test_what_the_owner_does_not_allow_is_said_in_the_dialog(as_operator: Client, web1: Server) -> None:
    service(web1, verbs=[])
    shown = text(as_operator.post(CONFIRM, GIVEN, headers=HTMX))
    assert "The agent of this server does not offer to restart nginx.service." in shown
    assert 'value="New TLS certificate"' in shown
    assert "The agent of this server" in text(as_operator.post(CONFIRM, GIVEN), 409)


def test_too_many_commands_are_refused_with_a_wait(as_operator: Client, web1: Server, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "actions": (1, 60)}
    service(web1)
    by_program = {"cmd": "restart", "target": NGINX}
    assert as_operator.post("/api/actions/srv-web-01", by_program, "application/json").status_code == 201
    answer = as_operator.post(CONFIRM, GIVEN)
    assert "Too many requests" in text(answer, 429)
    assert int(answer["Retry-After"]) <= 60


def test_cancelling_takes_it_back(as_operator: Client, web1: Server) -> None:
    service(web1)
    made = command(web1)
    answer = as_operator.post(f"/commands/{made.uuid}/cancel/")
    assert answer["Location"] == f"/commands/{made.uuid}/"
    shown = text(as_operator.get(answer["Location"]))
    assert "Taken back by oleg. It never ran." in shown


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
