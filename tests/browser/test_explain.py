"""The page that explains a stretch, in a real browser: the way in, the fields in the reader's zone, its groups."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PageAs
from tests.browser.hub import Hub
from tests.browser.looks import WIDTHS, accessible, fits, watch_console

FILL = """
import django; django.setup()
from datetime import datetime, timedelta, UTC
from servers import service_history
from servers.service_events import Event
from tests.cast import enrolled
from tests.servers.spiking import spike
server = enrolled("spiky")[0]
start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=20)
spike(server, start)
service_history.record(server.pk, [
    Event("php8.2-fpm.service", start - timedelta(seconds=4), "started", {"pidNow": 31}),
    Event("php8.2-fpm.service", start + timedelta(seconds=40), "reloaded", {"pidBefore": 31, "pidNow": 31}),
])
print(start.isoformat())
"""
PAGE = "/servers/spiky/explain/"


@pytest.fixture(scope="package")
def start(hub: Hub) -> datetime:
    """When the server's rise began, in the middle of four minutes."""
    return datetime.fromisoformat(hub.python("-c", FILL))


def written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def address(start: datetime, more: str = "") -> str:
    return f"{PAGE}?from={written(start)}&to={written(start + timedelta(minutes=2))}{more}"


def opened(page_as: PageAs, start: datetime, more: str = "", **look: object) -> Page:
    page = page_as("viewer" if look.pop("scoped", False) else "operator", **look)
    page.goto(address(start, more))
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_is_accessible_and_fits(page_as: PageAs, start: datetime, scheme: str) -> None:
    page = page_as("operator", scheme=scheme)
    said = watch_console(page)
    for more in ("", "&open=php-fpm", "&metric=mem", "&metric=disk", "&from=yesterday"):
        page.goto(address(start, more))
        expect(page.locator("h1")).to_be_visible()
        accessible(page)
        for width in WIDTHS:
            fits(page, width)
        page.set_viewport_size({"width": 1440, "height": 900})
    assert [line for line in said if "400 (Bad Request)" not in line] == []


def test_the_timeline_leads_to_it_and_it_leads_to_the_peak(page_as: PageAs, start: datetime) -> None:
    page = page_as("operator")
    page.goto(f"/servers/spiky/?at={written(start + timedelta(minutes=2))}")
    page.click("#explain")
    expect(page.locator("h1")).to_have_text("What explains it")
    page.goto(address(start))
    expect(page.locator("#said-h")).to_contain_text("php-fpm (6 processes) accounts for 86% of the rise")
    expect(page.locator("section:has(#fell-h)")).to_contain_text("php8.2-fpm.service was reloaded")
    page.click("text=To the highest, 41%")
    expect(page).to_have_url(re.compile(f"at={re.escape(written(start + timedelta(seconds=70)))}$"))
    expect(page.locator("#asof")).to_be_visible()
    expect(page.locator("#proc-31-1031")).to_be_visible()


def test_its_fields_are_in_the_readers_zone_and_its_address_is_not(page_as: PageAs, start: datetime) -> None:
    page = opened(page_as, start, timezone_id="Asia/Kathmandu")
    local = start + timedelta(hours=5, minutes=45)
    expect(page.locator("[name=from]")).to_have_value(re.compile(f"^{local:%Y-%m-%dT%H:%M}"))
    page.fill("[name=from]", (local + timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%S"))
    page.click("label:has-text('Memory')")
    page.click("#stretch button")
    expect(page.locator("#said-h")).to_contain_text("Memory did not rise")
    assert f"from={written(start + timedelta(minutes=1))}" in page.url.replace("%3A", ":")


@pytest.mark.parametrize("script", [True, False])
def test_a_group_opens_to_its_processes_by_keyboard_and_without_a_script(
    page_as: PageAs, start: datetime, script: bool
) -> None:
    page = opened(page_as, start, java_script_enabled=script)
    group = page.locator("#ranked [aria-expanded]")
    expect(group).to_have_attribute("aria-expanded", "false")
    group.press("Enter")
    expect(page.locator("[data-pm-depth]")).to_have_count(6)
    page.locator("#ranked [aria-expanded=true]").press("Enter")
    expect(page.locator("[data-pm-depth]")).to_have_count(0)
    page.locator("#ranked [aria-expanded]").press("Enter")
    page.click("text=php-fpm 40")
    expect(page.locator("h1")).to_have_text("php-fpm")


def test_a_wrong_field_is_said_and_nothing_typed_is_lost(page_as: PageAs, start: datetime) -> None:
    page = opened(page_as, start)
    page.fill("[name=to]", (start - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S"))
    page.click("#stretch button")
    expect(page.locator("#to-e")).to_have_text("This is not after the start.")
    expect(page.locator("[name=to]")).to_have_value(re.compile(f"^{start - timedelta(hours=1):%Y-%m-%dT%H:%M}"))
