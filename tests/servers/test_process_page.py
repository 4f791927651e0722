"""One process's own page: its line, its family, and what it says when the process is not there."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.test import Client
from django.utils import timezone

from servers.history import HOUR
from servers.models import Server
from tests.servers.samples import proc
from tests.servers.travelling import MINUTE, PAGE, SECOND, page, past_hours, rows, tell

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(web1: Server) -> datetime:
    """When the first of web1's four tables was taken."""
    return past_hours(web1)


def test_a_processs_page_has_its_line_its_parent_and_its_children(as_viewer: Client, first: datetime) -> None:
    shown = page(as_viewer, first, "processes/40-900/")
    assert rows(shown) == ["1-5", "40-900", "41-950"]
    assert "nginx: master" in shown
    assert "Sun 15 Jun 2025, 15:06:49 UTC" in shown
    child = page(as_viewer, first, "processes/41-950/?range=1h")
    assert 'href="../41-950/?at=' in child
    assert "at most 20" in child


def test_a_process_that_went_is_shown_with_when_it_was_seen_last(as_viewer: Client, first: datetime) -> None:
    shown = page(as_viewer, first + HOUR, "processes/77-7000/")
    assert ">There<" in shown
    assert "The process was not in the table" not in shown
    later = page(as_viewer, first + HOUR + 10 * SECOND, "processes/77-7000/")
    assert ">Gone<" in later
    assert "The process was not in the table of this moment." in later
    assert "Process 77" not in later  # its name is known of when it was there


def test_a_name_leads_from_the_live_table_to_the_processs_page(as_viewer: Client, web1: Server) -> None:
    tell(web1, timezone.now(), [proc(5, name="redis")])
    assert '<a href="processes/5-99/">redis</a>' in as_viewer.get(PAGE).content.decode()
    shown = as_viewer.get(f"{PAGE}processes/5-99/").content.decode()
    assert ">There<" in shown
    assert 'data-time="past"' not in shown


@pytest.mark.parametrize("key", ["5-5", f"{2**40}-{2**70}", "41-951"])
def test_a_process_that_never_was_says_so(as_viewer: Client, first: datetime, key: str) -> None:
    assert "This process was in no process table" in page(as_viewer, first, f"processes/{key}/")


def test_a_process_without_start_ticks_is_found(as_viewer: Client, web1: Server) -> None:
    at = timezone.now() - MINUTE
    tell(web1, at, [proc(5, name="old-agent", start_ticks=None)])
    assert "First seen here" in as_viewer.get(f"{PAGE}processes/5-0/").content.decode()
    assert "old-agent" in as_viewer.get(f"{PAGE}processes/5-0/").content.decode()
