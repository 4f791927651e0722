"""The list of incidents: who sees which, tabs, filters, order, pages, what is newer, and how many queries it takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts import person_moves, states
from alerts.incidents import endings, list_page
from alerts.models import Incident, Rule, Silence
from alerts.quiet import covering
from alerts.rules import kinds
from servers.models import Server, ServerGroup
from tests.actions.making import ago
from tests.alerts.incidents.pages import LIST, text, titles, words
from tests.alerts.opening import close_all, farm, open_all, opened, opening, rule
from tests.alerts.quiet.making import silence
from tests.cast import signed_in

NGINX = "nginx.service"


@pytest.fixture
def down(db: None) -> Rule:
    return rule("Web down", kinds.FAILED)


@pytest.fixture
def full(db: None) -> Rule:
    return rule("Disk", kinds.DISK_USED, severity=states.WARNING, limit=90)


def test_each_sees_the_incidents_of_their_scope(
    down: Rule, as_viewer: Client, as_outsider: Client, as_admin: Client, web1: Server, db1: Server
) -> None:
    opened(down, web1, NGINX)
    opened(down, db1, "postgresql.service")
    assert titles(as_viewer) == ["nginx.service failed"]
    assert titles(as_outsider) == ["postgresql.service failed"]
    assert set(titles(as_admin)) == {"nginx.service failed", "postgresql.service failed"}


def test_nobody_without_a_role_comes_in(client: Client, nobody: User, down: Rule) -> None:
    assert client.get(LIST).status_code == 302
    assert signed_in(nobody).get(LIST).status_code == 403
    assert signed_in(nobody).get(f"{LIST}newer/").status_code == 403


def test_the_worst_come_first_then_the_newest(
    down: Rule, full: Rule, as_viewer: Client, web1: Server, web2: Server
) -> None:
    opened(down, web1, NGINX, ago(600))
    opened(full, web2, "/srv", ago(10), limit=90)
    opened(down, web2, "cron.service", ago(300))
    assert titles(as_viewer) == ["cron.service failed", "nginx.service failed", "Disk /srv over 90%"]


def test_tabs_tell_apart_open_silenced_and_closed_ones(
    down: Rule, operator: User, as_viewer: Client, web1: Server
) -> None:
    opened(down, web1, "a.service")
    over = opened(down, web1, "b.service", ago(100))
    close_all([over])
    asleep, quiet, awake = (opened(down, web1, f"{name}.service") for name in "cde")
    person_moves.snooze(operator, asleep, timezone.now() + timedelta(hours=1))
    silence = Silence.objects.create(reason="x", starts_at=ago(5), made_at=ago(5), made_by_name="oleg")
    Incident.objects.filter(pk=quiet.pk).update(silence=silence)
    Incident.objects.filter(pk=awake.pk).update(snoozed_until=ago(1))  # its time has passed
    assert set(titles(as_viewer)) == {"a.service failed", "e.service failed"}
    assert set(titles(as_viewer, "/alerts/?s=silenced")) == {"c.service failed", "d.service failed"}
    assert titles(as_viewer, "/alerts/?s=closed") == ["b.service failed"]
    page = words(text(as_viewer.get(LIST)))
    assert "Open 2 Silenced 2 Closed" in page
    assert "2 unacknowledged" in page
    assert "Snoozed until" in text(as_viewer.get("/alerts/?s=silenced"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=nginx", ["nginx.service failed"]),
        ("q=WEB-02", ["Disk /srv over 90%"]),
        ("q=Web+down", ["nginx.service failed"]),
        ("q=srv-web", ["nginx.service failed", "Disk /srv over 90%"]),
        ("severity=warning", ["Disk /srv over 90%"]),
        ("server=srv-web-01", ["nginx.service failed"]),
        ("server=srv-db-01", []),
        ("mine=1", ["Disk /srv over 90%"]),
        ("q=%00&severity=nonsense&s=nonsense&from=x&mine=2", ["nginx.service failed", "Disk /srv over 90%"]),
        ("q=100%25", []),
        ("from=99999999999999999999", ["nginx.service failed", "Disk /srv over 90%"]),
        ("from=2", []),
    ],
)
def test_filters(
    down: Rule, full: Rule, operator: User, as_operator: Client, web1: Server, web2: Server, db1: Server, query: str,
    found: list[str],
) -> None:  # fmt: skip
    opened(down, web1, NGINX)
    person_moves.assign(operator, opened(full, web2, "/srv", limit=90), operator)
    opened(down, db1, NGINX)
    assert titles(as_operator, f"{LIST}?{query}") == found


def test_many_servers_are_one_row_and_are_found_by_a_member_in_scope(
    web_group: ServerGroup, as_viewer: Client, as_outsider: Client, db1: Server
) -> None:
    silent = rule()
    open_all([opening(silent, server) for server in (*farm(4, web_group), db1)])
    assert titles(as_viewer) == titles(as_outsider) == ["Server silent on 5 servers"]
    assert titles(as_viewer, f"{LIST}?q=srv-0001") == ["Server silent on 5 servers"]
    assert titles(as_viewer, f"{LIST}?q=srv-db") == []  # whose name they may not learn
    assert titles(as_outsider, f"{LIST}?q=srv-db") == ["Server silent on 5 servers"]


def test_long_lists_come_in_pages(down: Rule, as_viewer: Client, web1: Server) -> None:
    open_all([opening(down, web1, f"{number:03}.service", ago(number)) for number in range(list_page.PAGE + 2)])
    first = text(as_viewer.get(LIST))
    assert first.count('<tr id="inc-') == list_page.PAGE
    assert f'href="?from={list_page.PAGE}"' in first
    assert titles(as_viewer, f"{LIST}?from={list_page.PAGE}") == ["050.service failed", "051.service failed"]


def test_no_rules_no_incidents_and_no_match_say_so(as_viewer: Client, web1: Server) -> None:
    assert "No rule watches for anything yet." in text(as_viewer.get(LIST))
    down = rule("Web down", kinds.FAILED)
    page = text(as_viewer.get(LIST))
    assert "No incident is open." in page
    assert "The last one ended" not in page
    close_all([opened(down, web1, NGINX, ago(7200))], ago(3600))
    assert "The last one ended 1 h ago." in words(text(as_viewer.get(LIST)))
    assert "No incident matches nonsense." in words(text(as_viewer.get(f"{LIST}?q=nonsense")))
    assert "Nothing is silenced or snoozed." in text(as_viewer.get(f"{LIST}?s=silenced"))


def test_viewers_get_no_buttons(down: Rule, as_viewer: Client, as_operator: Client, web1: Server) -> None:
    opened(down, web1, NGINX)
    assert "data-act" not in text(as_viewer.get(LIST))
    shown = text(as_operator.get(LIST))
    assert 'aria-label="Acknowledge nginx.service failed, srv-web-01"' in shown
    assert "Acknowledge all…" in shown


def test_what_is_newer_is_counted_with_the_filters(down: Rule, as_viewer: Client, web1: Server, db1: Server) -> None:
    opened(down, web1, "a.service")
    address = f"{LIST}newer/?after={list_page.newest()}"
    assert "newer" not in words(text(as_viewer.get(address)))
    opened(down, web1, "b.service")
    opened(down, db1, "c.service")
    shown = text(as_viewer.get(address))
    assert "1 newer incident, show" in words(shown)
    assert 'id="incident-tabs"' in shown
    assert 'hx-swap-oob="true"' in shown
    assert "newer incident" not in text(as_viewer.get(f"{address}&severity=warning"))
    assert "2 newer incidents" in text(as_viewer.get(f"{LIST}newer/?after=x"))
    close_all(Incident.objects.all())
    assert "newer incident" not in text(as_viewer.get(address))
    assert "2 newer incidents" in text(as_viewer.get(f"{address}&s=closed"))


def said_newer(client: Client, last: int, tab: str = "") -> str:
    """What the page that was made at that line is told, but for the tabs."""
    return words(text(client.get(f"{LIST}newer/?after={last}&s={tab}")).partition("<span")[0])


def test_what_a_silence_kept_off_the_list_comes_back_as_newer(
    down: Rule, operator: User, as_viewer: Client, web1: Server
) -> None:
    hidden, shown = opened(down, web1, "a.service"), opened(down, web1, "b.service")
    person_moves.snooze(operator, hidden, timezone.now() + timedelta(hours=1))
    silenced = silence(scope="", rule=down)
    covering.keep()
    before = list_page.newest()
    Silence.objects.filter(pk=silenced.pk).update(ended_at=timezone.now())
    covering.keep()
    assert said_newer(as_viewer, before) == "1 newer incident, show"
    assert said_newer(as_viewer, before, "silenced") == "1 no longer silenced, leave it out"
    Incident.objects.filter(pk=hidden.pk).update(snoozed_until=timezone.now())
    endings.wake_snoozed()
    assert said_newer(as_viewer, before) == "2 newer incidents, show"
    assert said_newer(as_viewer, before, "silenced") == "2 no longer silenced, leave them out"
    close_all([shown])
    assert said_newer(as_viewer, before, "silenced") == "1 no longer silenced, leave it out"  # the other's row says so


def test_what_was_silenced_meanwhile_and_is_in_the_list_again_is_not_newer(
    down: Rule, operator: User, as_viewer: Client, web1: Server
) -> None:
    one = opened(down, web1, "a.service")
    before = list_page.newest()
    person_moves.snooze(operator, one, timezone.now() + timedelta(hours=1))
    assert said_newer(as_viewer, before) == ""
    assert said_newer(as_viewer, before, "silenced") == "1 newer incident, show"
    asleep = list_page.newest()
    person_moves.snooze(operator, one, timezone.now() + timedelta(hours=2))
    assert said_newer(as_viewer, asleep, "silenced") == ""
    person_moves.wake(operator, one)
    assert said_newer(as_viewer, before) == said_newer(as_viewer, before, "silenced") == ""


def test_what_is_assigned_to_me_meanwhile_is_newer_among_mine(
    down: Rule, operator: User, as_operator: Client, web1: Server
) -> None:
    one = opened(down, web1, "a.service")
    before = list_page.newest()
    person_moves.assign(operator, one, operator)
    assert said_newer(as_operator, before) == ""
    assert said_newer(as_operator, before, "&mine=1") == "1 newer incident, show"


def test_the_same_title_of_two_rules_names_them(
    down: Rule, as_viewer: Client, web1: Server, web2: Server
) -> None:  # fmt: skip
    again = rule("Nginx alone", kinds.FAILED)
    opened(down, web1, NGINX)
    opened(again, web2, NGINX)
    assert "Nginx alone" not in text(as_viewer.get(LIST))
    twin = opened(again, web1, NGINX)
    for address in (LIST, f"/servers/{web1.agent_id}/", "/"):
        page = text(as_viewer.get(address))
        assert page.count("Web down") >= 1
        assert page.count("Nginx alone") >= 1
    assert "Nginx alone" not in text(as_viewer.get(f"/servers/{web2.agent_id}/"))
    close_all([twin])
    assert "Nginx alone" in text(as_viewer.get(f"{LIST}?s=closed"))


def test_names_from_agents_are_shown_safely(down: Rule, as_viewer: Client, web1: Server) -> None:
    Server.objects.filter(pk=web1.pk).update(hostname="<img src=x>\u202e")
    opened(down, web1, "<script>\u202e.service")
    page = text(as_viewer.get(LIST))
    assert "<img" not in page
    assert "<script>\u202e" not in page
    assert "\u202e" not in page


def test_costs_few_queries_however_much_there_is(
    down: Rule, as_viewer: Client, web1: Server, django_assert_num_queries: Any
) -> None:
    open_all([opening(down, web1, f"{number}.service") for number in range(40)])
    as_viewer.get(LIST)
    # session, user, role · scope and incidents not taken, for the header · newest line · rows · counts
    # · whether rules are evaluated
    with django_assert_num_queries(9):
        as_viewer.get(LIST)


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_it_is_only_read(as_operator: Client, method: str) -> None:
    assert getattr(as_operator, method)(LIST).status_code == 405
