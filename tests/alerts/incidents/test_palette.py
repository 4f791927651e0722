"""What the palette finds of alerts, and what the audit page says of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from actions.audit_page import EVENTS
from alerts import audit_words, person_moves
from alerts.models import Rule
from alerts.rules import kinds
from servers import search
from servers.models import Server
from tests.alerts.incidents.pages import text, words
from tests.alerts.opening import close_all, opened, rule


@pytest.fixture
def down(db: None) -> Rule:
    return rule("Web down", kinds.FAILED)


def found(user: User, said: str) -> list[tuple[str, str]]:
    return [(hit.text, hit.url) for hit in search.find(user, said) if hit.icon in ("bell", "check")]


def test_incidents_are_found_by_title_and_server(
    down: Rule, viewer: User, outsider: User, web1: Server, web2: Server
) -> None:
    one = opened(down, web1, "nginx.service")
    opened(down, web2, "cron.service")
    close_all([opened(down, web1, "nginx-old.service")])
    hit = ("nginx.service failed, srv-web-01", f"/alerts/{one.uuid}/")
    assert found(viewer, "NGINX failed") == [hit]
    assert hit in found(viewer, "web-01")
    assert found(viewer, "nginx web-02") == []
    assert found(viewer, "") == []
    assert found(outsider, "nginx") == []


def test_taking_all_critical_ones_is_offered_to_those_who_may(operator: User, viewer: User, web1: Server) -> None:
    said = ("Acknowledge all critical incidents…", "/alerts/acknowledge/?severity=critical")
    assert found(operator, "ackn crit") == [said]
    assert found(viewer, "ackn crit") == []
    assert found(operator, "ackn nonsense") == []


def test_the_audit_page_says_what_people_did(
    down: Rule, operator: User, as_viewer: Client, as_outsider: Client, web1: Server
) -> None:
    one = opened(down, web1, "nginx.service")
    person_moves.acknowledge(operator, one)
    person_moves.unacknowledge(operator, one)
    person_moves.comment(operator, one, "x")
    person_moves.assign(operator, one, operator)
    person_moves.snooze(operator, one, timezone.now() + timedelta(hours=1))
    person_moves.wake(operator, one)
    person_moves.close_by_hand(operator, one, "Known")
    page = text(as_viewer.get("/audit/"))
    said = words(page)
    for event, (_glyph, word) in audit_words.EVENTS.items():
        assert not event.startswith("incident.") or str(word) in said
    assert page.count(f'href="/alerts/{one.uuid}/"') == 7
    assert page.count('title="Web down: nginx.service"') == 7
    assert "nginx" not in text(as_outsider.get("/audit/"))
    assert set(audit_words.EVENTS) <= set(EVENTS)
