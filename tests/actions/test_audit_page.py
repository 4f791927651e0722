"""The audit trail's page and file."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from actions import ask
from actions import live as action_live
from actions.models import AuditEntry
from pmonitor.live import View
from servers.models import Server
from tests.actions.making import NGINX, newest, service
from tests.actions.pages import finished, text

pytestmark = pytest.mark.django_db


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


def test_only_people_of_the_readers_scope_are_named(as_operator: Client, as_admin: Client, trail: list[int]) -> None:
    assert "<option>oleg</option>" in text(as_operator.get("/audit/"))
    assert "<option>ada</option>" not in text(as_operator.get("/audit/"))
    assert "<option>ada</option>" in text(as_admin.get("/audit/"))


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
    lines = b"".join(as_admin.get(f"/audit.csv{query}")).decode().splitlines()
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
    assert b"kernel" not in b"".join(as_viewer.get("/audit.csv"))


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
    # session, user, role · scope and incidents not taken, for the header · the records · people · newest · count
    with django_assert_num_queries(9):
        as_viewer.get("/audit/")
