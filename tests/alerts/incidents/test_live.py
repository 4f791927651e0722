"""The live topics of incidents: who may watch them and what they send; and the header's count."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts import person_moves
from alerts.incidents import header
from alerts.models import Rule
from alerts.rules import kinds
from pmonitor.live import TOPICS, View
from servers.models import Server, ServerGroup
from tests.alerts.incidents.pages import text, words
from tests.alerts.opening import close_all, farm, open_all, opened, opening, rule

VIEWER, OPERATOR, RO = View("en", "viewer"), View("en", "operator"), View("ro", "viewer")
NGINX = "nginx.service"


@pytest.fixture
def down(db: None) -> Rule:
    return rule("Web down", kinds.FAILED)


def sent(kind: str, key: str, view: View = VIEWER) -> str:
    return "".join(TOPICS[kind].update(key, view, None)[1])


def version(kind: str, key: str) -> str:
    return TOPICS[kind].update(key, VIEWER, None)[0].version


def test_incidents_are_watched_only_in_scope(
    down: Rule, viewer: User, outsider: User, nobody: User, web1: Server
) -> None:
    one, may_watch = str(opened(down, web1, NGINX).pk), TOPICS["incident"].may_watch
    keys = {one, f"{one}/row", f"{one}/x", "", "x", "/row", "-1", "99999", "9" * 30, f"0{one}"}
    assert may_watch(viewer, keys) == {one, f"{one}/row"}
    assert may_watch(outsider, keys) == may_watch(nobody, keys) == set()
    assert TOPICS["incidents"].may_watch(viewer, {"all", "x"}) == {"all"}
    assert TOPICS["incidents"].may_watch(nobody, {"all"}) == set()


def test_the_header_is_watched_only_of_ones_own_scope(viewer: User, admin: User, web_group: ServerGroup) -> None:
    may_watch, own = TOPICS["nav-incidents"].may_watch, str(web_group.pk)
    assert may_watch(viewer, {own, "all"}) == {own}
    assert may_watch(admin, {own, "all"}) == {"all"}


def test_the_header_counts_what_nobody_has_taken(
    down: Rule, operator: User, as_viewer: Client, as_outsider: Client, web_group: ServerGroup, web1: Server,
    db1: Server,
) -> None:  # fmt: skip
    scope = str(web_group.pk)
    assert "hidden" in sent("nav-incidents", scope)
    mine = [opened(down, web1, f"{name}.service") for name in "abcd"]
    opened(down, db1, NGINX)
    assert header.untaken(scope).number == 4
    assert "4 unacknowledged" in words(text(as_viewer.get("/audit/")))
    assert "1 unacknowledged" in words(text(as_outsider.get("/audit/")))
    before = version("nav-incidents", scope)
    person_moves.acknowledge(operator, mine[0])
    person_moves.snooze(operator, mine[1], timezone.now() + timedelta(hours=1))
    close_all([mine[2]])
    assert version("nav-incidents", scope) != before
    html = sent("nav-incidents", scope)
    assert 'data-count="1"' in html
    assert 'data-said="d.service failed, srv-web-01"' in html
    assert f'data-url="/alerts/{mine[3].uuid}/"' in html


def test_many_servers_count_as_one(web_group: ServerGroup, db: None) -> None:
    silent = rule()
    open_all([opening(silent, server) for server in farm(7, web_group)])
    found = header.untaken(str(web_group.pk))
    assert found.number == 1
    assert found.newest is not None
    assert found.newest.named == "Server silent on 7 servers"


def test_the_header_is_one_query(down: Rule, web1: Server, django_assert_num_queries: Any) -> None:
    open_all([opening(down, web1, f"{number}.service") for number in range(30)])
    with django_assert_num_queries(1):
        assert 'data-count="30"' in sent("nav-incidents", "all")


def test_a_row_is_sent_with_the_buttons_of_the_role(down: Rule, web1: Server) -> None:
    key = f"{opened(down, web1, NGINX).pk}/row"
    assert "Acknowledge nginx.service failed" in sent("incident", key, OPERATOR)
    assert "data-act" not in sent("incident", key)


def test_each_move_changes_the_versions(down: Rule, operator: User, web1: Server) -> None:
    one = opened(down, web1, NGINX)
    seen = set()
    moves: list[Any] = [
        lambda: person_moves.acknowledge(operator, one),
        lambda: person_moves.assign(operator, one, operator),
        lambda: person_moves.snooze(operator, one, timezone.now() + timedelta(hours=1)),
        lambda: close_all([one]),
    ]
    for move in moves:
        move()
        seen.add(tuple(version("incident", key) for key in (str(one.pk), f"{one.pk}/row")))
        seen.add((version("incidents", "all"), version("alerts", str(web1.pk))))
    assert len(seen) == 2 * len(moves)


def test_a_comment_comes_into_the_timeline(down: Rule, operator: User, web1: Server) -> None:
    one = opened(down, web1, NGINX)
    before = TOPICS["incident"].update(str(one.pk), VIEWER, None)[0]
    person_moves.comment(operator, one, "Looking at it")
    shown, messages = TOPICS["incident"].update(str(one.pk), VIEWER, before)
    assert shown.version != before.version
    assert any('id="incident-timeline"' in html and "Looking at it" in html for html in messages)


def test_each_fragment_has_its_id_and_its_language(down: Rule, web1: Server) -> None:
    one = opened(down, web1, NGINX)
    _shown, messages = TOPICS["incident"].update(str(one.pk), VIEWER, None)
    names = ("capsule", "incident", "incident-timeline", "incident-notices")
    for name, html in zip(names, messages, strict=True):
        assert f'id="{name}"' in html.split(">", 1)[0]
