"""What the hub did not see, in real Chromium: hatched with its reason, in the lane of states, in the figure, told."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PageAs
from tests.browser.hub import Hub
from tests.browser.looks import WIDTHS, accessible, fits, watch_console

# An hour: reports, ten minutes without the hub, reports, five silent minutes, a boot, reports until now.
FILL = """
import django; django.setup()
from datetime import datetime, timedelta, UTC
from django.db import transaction
from servers.models import HubAbsence, Server, StateChange
from tests.cast import enrolled
from tests.servers.travelling import family, tell
server = enrolled("sometimes-there")[0]
now = datetime.now(UTC).replace(microsecond=0)
ago = lambda minutes: now - timedelta(minutes=minutes)
with transaction.atomic():  # else the hub finds it silent between two of these
    Server.objects.filter(pk=server.pk).update(enrolled_at=ago(60))
    for seconds in [*range(3500, 2400, -20), *range(1800, 1200, -20), *range(900, 20, -20)]:
        boot = {"bootId": "second", "uptimeSec": 5} if seconds <= 900 else {"bootId": "first", "uptimeSec": 99_999}
        tell(server, now - timedelta(seconds=seconds), family(), cpu=20 + seconds % 300 / 10, **boot)
    StateChange.objects.create(server=server, at=now - timedelta(seconds=1220), state="silent")
    StateChange.objects.create(server=server, at=now - timedelta(seconds=900), state="up")
    HubAbsence.objects.create(start=now - timedelta(seconds=2418), end=now - timedelta(seconds=1803), why="asleep")
"""
PAGE = "/servers/sometimes-there/"


@pytest.fixture(scope="package")
def sometimes_there(hub: Hub) -> str:
    hub.python("-c", FILL)
    return PAGE


def opened(page_as: PageAs, address: str, **look: object) -> Page:
    page = page_as("operator", **look)
    page.goto(address)
    expect(page.locator("#scrub")).to_be_enabled()
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_is_accessible_and_fits(page_as: PageAs, sometimes_there: str, scheme: str) -> None:
    page = page_as("operator", scheme=scheme)
    said = watch_console(page)
    for address in (sometimes_there, "/"):
        page.goto(address)
        expect(page.locator("#hub-away, #lane-states").first).to_be_visible()
        accessible(page)
        for width in WIDTHS:
            fits(page, width)
    assert said == []


def test_a_gap_has_its_reason_and_the_lane_tells_the_states(page_as: PageAs, sometimes_there: str) -> None:
    page = opened(page_as, sometimes_there)
    reasons = page.eval_on_selector_all(".overlay [data-why]", "all => all.map(one => one.dataset.why)")
    assert reasons[:2] == ["away", "silent"]  # since the last report it may be silent again
    kinds = page.eval_on_selector_all("#lane-states [data-kind]", "all => all.map(one => one.dataset.kind)")
    assert kinds[:5] == ["up", "away", "up", "silent", "up"]
    lane = page.locator("#lane-states .plot")
    expect(lane).to_have_attribute("aria-label", re.compile("Hub away: its machine was asleep, .* up otherwise"))
    expect(page.locator("#figure dd")).to_contain_text(re.compile(r"\(hub away 10 min \d+ s\)"))
    expect(page.locator("#figure dt")).to_have_text("Since it was added")


def test_the_pointer_on_a_gap_is_told_why_and_a_click_still_goes_there(page_as: PageAs, sometimes_there: str) -> None:
    page = opened(page_as, sometimes_there)
    gap = page.locator(".overlay [data-why=away]").bounding_box()
    lane = page.locator("#lane-cpu .plot").bounding_box()
    assert gap
    assert lane
    x, y = gap["x"] + gap["width"] / 2, lane["y"] + lane["height"] / 2
    told = page.evaluate("([x, y]) => document.elementFromPoint(x, y).querySelector('title').textContent", [x, y])
    assert told.startswith("Hub away, ")
    page.mouse.click(x, y)
    expect(page).to_have_url(re.compile(r"\?at="))
    expect(page.locator("#srv-status")).to_have_text("Hub away at this moment")
    expect(page.locator(".overlay [data-why=away]")).to_have_count(1)


def test_a_boot_is_a_mark_that_the_keyboard_reaches(page_as: PageAs, sometimes_there: str) -> None:
    page = opened(page_as, sometimes_there)
    boot = page.get_by_role("link", name=re.compile("^Rebooted, "))
    boot.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?at="))
    expect(page.locator("#asof")).to_be_visible()


def test_the_dashboard_says_once_that_the_hub_was_away(page_as: PageAs, sometimes_there: str) -> None:
    page = page_as("viewer")
    page.goto("/")
    expect(page.locator("#hub-away")).to_contain_text("Hub away: its machine was asleep from")
    expect(page.locator("#hub-away")).to_contain_text("(10 min 15 s)")
