"""One incident's page: what it says, to whom, and what people ask of it there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts import person_moves, states
from alerts.incidents import entries, incident_page, shown
from alerts.models import Incident, Rule
from alerts.rules import kinds
from servers.models import Server, ServerGroup
from tests.actions.making import ago
from tests.alerts.incidents.pages import text, words
from tests.alerts.opening import audited, close_all, farm, lines, open_all, opened, opening, rule
from tests.cast import person

NGINX = "nginx.service"


@pytest.fixture
def down(db: None) -> Rule:
    return rule("Web down", kinds.FAILED)


@pytest.fixture
def incident(down: Rule, web1: Server) -> Incident:
    return opened(down, web1, NGINX, ago(600))


def page_of(incident: Incident, move: str = "") -> str:
    return f"/alerts/{incident.uuid}/{move}{'/' if move else ''}"


def now(incident: Incident) -> Incident:
    incident.refresh_from_db()
    return incident


def test_it_says_what_where_and_since_when(as_viewer: Client, web1: Server) -> None:
    memory = rule("Memory", kinds.READING, severity=states.WARNING, limit=90, params={"metric": "mem"})
    one = opened(memory, web1, "", ago(600), metric="mem", limit=90, below=False, value=93.2)
    said = words(text(as_viewer.get(page_of(one))))
    for part in ("Memory used above 90%", "Warning Open", "Where srv-web-01", "Rule Memory", "Limit 90%",
                 "At opening 93.2%", "Open for 10 min", "Opened at 93.2%", "Nobody has been told."):  # fmt: skip
        assert part in said
    assert "data-act" not in text(as_viewer.get(page_of(one)))


def test_out_of_scope_is_as_if_it_were_not_there(incident: Incident, as_outsider: Client) -> None:
    assert as_outsider.get(page_of(incident)).status_code == 404
    for part in ("members", "capsule", "close"):
        assert as_outsider.get(page_of(incident, part)).status_code == 404
    for move in ("acknowledge", "give-back", "comment", "assign", "snooze", "wake", "close"):
        assert as_outsider.post(page_of(incident, move)).status_code == 404
    assert now(incident).state == states.OPEN


@pytest.mark.parametrize("move", ["acknowledge", "give-back", "comment", "assign", "snooze", "wake", "close"])
def test_viewers_move_nothing(incident: Incident, as_viewer: Client, client: Client, move: str) -> None:
    assert as_viewer.post(page_of(incident, move), {"text": "x", "minutes": "30"}).status_code == 403
    assert client.post(page_of(incident, move))["Location"].startswith("/login/")
    assert lines(incident) == [states.OPENED]


def test_reading_moves_nothing_and_there_is_no_other_move(incident: Incident, as_operator: Client) -> None:
    assert as_operator.get(page_of(incident, "acknowledge")).status_code == 405
    assert as_operator.post(page_of(incident, "explode")).status_code == 404
    assert as_operator.post(page_of(incident)).status_code == 405


def test_acknowledging_and_giving_back_are_seen_at_once(incident: Incident, as_operator: Client) -> None:
    shown = text(as_operator.post(page_of(incident, "acknowledge"), follow=True))
    assert "by oleg" in shown
    assert "Give back" in shown
    shown = text(as_operator.post(page_of(incident, "give-back"), follow=True))
    assert "Give back" not in shown
    assert "Given back" in shown
    assert now(incident).state == states.OPEN
    assert [entry.actor for entry in audited("incident.acknowledged")] == ["oleg"]


def test_whoever_is_second_learns_who_was_first(incident: Incident, as_operator: Client, as_admin: Client) -> None:
    as_operator.post(page_of(incident, "acknowledge"))
    shown = text(as_admin.post(page_of(incident, "acknowledge")), 409)
    assert "oleg has acknowledged it already." in shown
    assert now(incident).acknowledged_by_name == "oleg"


def test_a_row_answers_with_the_row_as_it_is_then(incident: Incident, as_operator: Client, as_admin: Client) -> None:
    htmx = {"HX-Request": "true"}
    row = text(as_operator.post(page_of(incident, "acknowledge"), {"row": "1"}, headers=htmx))
    assert row.startswith(f'<tr id="inc-{incident.pk}"')
    assert "by oleg" in row
    assert "by oleg" in text(as_admin.post(page_of(incident, "acknowledge"), {"row": "1"}, headers=htmx))


def test_a_row_that_could_not_be_moved_says_why(
    incident: Incident, as_operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.RATE_LIMITS, "actions", (0, 60))
    htmx = {"HX-Request": "true"}
    row = text(as_operator.post(page_of(incident, "acknowledge"), {"row": "1"}, headers=htmx))
    assert row.startswith(f'<tr id="inc-{incident.pk}"')
    assert "Too many requests; try again in" in row
    assert "Acknowledge nginx.service failed" in row  # the button is there still


def test_a_comment_stands_in_the_timeline_as_it_was_typed(incident: Incident, as_operator: Client) -> None:
    shown = text(as_operator.post(page_of(incident, "comment"), {"text": "<b>it is\nphp</b>\u202e"}, follow=True))
    assert "&lt;b&gt;it is<br>php&lt;/b&gt;" in shown
    assert "\u202e" not in shown
    assert [entry.facts["text"] for entry in audited("incident.commented")] == ["<b>it is\nphp</b>\u202e"]


@pytest.mark.parametrize(
    ("move", "said", "field"),
    [
        ("comment", {"text": "  "}, "text"),
        ("comment", {"text": "x" * 2_001}, "text"),
        ("comment", {"text": "a\0b"}, "text"),
        ("assign", {"to": "999999"}, "to"),
        ("assign", {"to": "oleg"}, "to"),
        ("snooze", {"minutes": "1"}, "minutes"),
        ("snooze", {}, "minutes"),
    ],
)
def test_bad_input_is_named_beside_its_field(
    incident: Incident, as_operator: Client, move: str, said: dict[str, str], field: str
) -> None:
    shown = text(as_operator.post(page_of(incident, move), said), 400)
    assert f'id="{field}-e"' in shown
    assert 'aria-invalid="true"' in shown
    assert said.get("text", "").strip().replace("\0", "") in shown or field != "text"  # nothing typed is lost
    assert lines(incident) == [states.OPENED]


def test_it_is_given_to_those_who_see_it_and_may_act(
    incident: Incident, operator: User, admin: User, viewer: User, outsider: User, as_operator: Client
) -> None:
    gone = person("gone", "operator")
    offered = text(as_operator.get(page_of(incident)))
    assert f'<option value="{operator.pk}">oleg</option>' in offered
    assert f'<option value="{admin.pk}">ada</option>' in offered
    for other in (viewer, outsider, gone):
        assert f">{other.username}</option>" not in offered
        assert as_operator.post(page_of(incident, "assign"), {"to": other.pk}).status_code == 400
    as_operator.post(page_of(incident, "assign"), {"to": admin.pk})
    assert now(incident).assigned_to == admin
    assert "Assigned to ada" in text(as_operator.get(page_of(incident)))
    as_operator.post(page_of(incident, "assign"), {"to": ""})
    assert now(incident).assigned_to is None


def test_snoozed_it_says_until_when_and_can_be_woken(incident: Incident, as_operator: Client) -> None:
    shown = text(as_operator.post(page_of(incident, "snooze"), {"minutes": "120"}, follow=True))
    assert "Snoozed until" in shown
    assert "End the snooze" in shown
    until = now(incident).snoozed_until
    assert until is not None
    assert timedelta(minutes=119) < until - timezone.now() <= timedelta(minutes=120)
    assert "End the snooze" not in text(as_operator.post(page_of(incident, "wake"), follow=True))
    assert now(incident).snoozed_until is None


def test_closing_by_hand_asks_first(incident: Incident, as_operator: Client) -> None:
    asked = text(as_operator.get(page_of(incident, "close")))
    assert "Close “nginx.service failed, srv-web-01” by hand?" in asked
    assert text(as_operator.get(page_of(incident, "close"), headers={"HX-Request": "true"})).startswith("<form")
    shown = text(as_operator.post(page_of(incident, "close"), {"reason": "Known"}, follow=True))
    assert "Closed by hand" in shown
    assert "Known" in shown
    assert "data-act" in shown  # a comment can be added still
    assert now(incident).close_reason == states.BY_HAND
    assert "It is closed already." in text(as_operator.post(page_of(incident, "close")), 409)


def test_members_are_shown_as_far_as_the_reader_sees_them(
    web_group: ServerGroup, db1: Server, as_viewer: Client, as_outsider: Client, as_admin: Client
) -> None:
    silent = rule()
    made = open_all([opening(silent, server) for server in (*farm(6, web_group), db1)])
    close_all(made[:1])
    whole = Incident.objects.get(server=None)
    assert text(as_admin.get(page_of(whole, "members"))).count('<li id="member-') == 7
    shown = text(as_viewer.get(page_of(whole)))
    assert shown.count('<li id="member-') == 6
    assert "and 1 more" in shown
    assert "srv-db-01" not in shown
    assert "and 6 more" in text(as_outsider.get(page_of(whole)))
    assert "Cleared" in shown
    assert page_of(whole) in text(as_viewer.get(page_of(made[1])))


def test_no_data_and_flapping_are_said(down: Rule, web1: Server, as_viewer: Client) -> None:
    for minutes in (20, 10):
        close_all([opened(down, web1, NGINX, ago(60 * minutes))], ago(60 * minutes - 60))
    last = opened(down, web1, NGINX)
    Incident.objects.filter(pk=last.pk).update(no_data_since=ago(240))
    said = words(text(as_viewer.get(page_of(last))))
    assert "Flapping: 3 times in" in said
    assert "nobody is told each time it comes back." in said
    assert "the next ones are still told" not in said
    assert "Nothing has been measured since" in said


@pytest.mark.parametrize(
    ("columns", "still"),
    [
        ({}, True),
        ({"state": states.ACKNOWLEDGED}, False),
        ({"escalated_at": ago(0)}, False),
        ({"snoozed_until": ago(-86_400)}, False),
    ],
)
def test_of_one_that_flaps_it_says_whether_it_still_escalates(
    down: Rule, web1: Server, as_viewer: Client, columns: dict[str, Any], still: bool
) -> None:
    Rule.objects.filter(pk=down.pk).update(escalate_after_sec=600)
    last = opened(down, web1, NGINX)
    Incident.objects.filter(pk=last.pk).update(flapping=True, flapping_since=ago(600), reopened=2, **columns)
    assert ("If nobody takes it on, the next ones are still told." in text(as_viewer.get(page_of(last)))) == still


def test_it_leads_to_the_moment_on_the_servers_page(incident: Incident, as_viewer: Client) -> None:
    found = shown.fetched(Incident.objects.all()).get()
    address = incident_page.context(found, "viewer")["moment"]
    assert address.startswith("/servers/srv-web-01/?at=")
    assert "as of" in text(as_viewer.get(address)).lower()


def test_every_kind_of_line_has_its_words() -> None:
    assert set(entries.KINDS) == set(states.ENTRIES)


def test_costs_few_queries_however_much_has_happened(
    incident: Incident, operator: User, as_operator: Client, django_assert_num_queries: Any
) -> None:
    for number in range(30):
        person_moves.comment(operator, incident, f"comment {number}")
    as_operator.get(page_of(incident))
    # session, user, role · scope and incidents not taken, for the header · the incident, its lines, notices, people
    # the capsule's chart: newest report, readings, states of the server
    with django_assert_num_queries(15):
        as_operator.get(page_of(incident))


def test_a_deleted_rule_is_named_still(incident: Incident, down: Rule, as_viewer: Client) -> None:
    Rule.objects.filter(pk=down.pk).update(deleted_at=timezone.now())
    shown = text(as_viewer.get(page_of(incident)))
    assert "Web down" in shown
    assert f"/alerts/rules/{down.pk}/" not in shown
