"""Schedules in a real browser: made, seen, paused, deleted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting import NGINX, another, procs
from tests.browser.conftest import PageAs
from tests.browser.hub import Agent
from tests.browser.looks import WIDTHS, accessible, fits, open_live, watch_console

REASON = "Weekly memory defragmentation"


@pytest.fixture
def agent(new_agent: Callable[..., Agent]) -> Agent:
    """A server of its own for each test, whose clock is set to Bucharest's time."""
    made = another(new_agent, procs(5))
    made.report(timeZone="Europe/Bucharest")
    return made


def scheduled(page: Page, agent: Agent, cron: str = "30 3 * * MON") -> None:
    """From the confirmation to a schedule's page."""
    page.goto(f"/servers/{agent.id}/services/{NGINX}/restart/")
    page.get_by_role("link", name="Run later…").click()
    page.fill("#cron", cron)
    page.fill("#reason", REASON)
    page.get_by_role("button", name="Schedule it").click()
    expect(page.locator("article .pill")).to_have_text("On")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_shows_the_next_times_while_one_types(page_as: PageAs, agent: Agent, scheme: str) -> None:
    page = page_as("operator", scheme=scheme, timezone_id="America/New_York")
    said = watch_console(page)
    page.goto(f"/schedules/new/?server={agent.id}&target={NGINX}&cmd=restart")
    page.locator("#cron").press_sequentially("30 3 * * MON")
    expect(page.locator("#times li")).to_have_count(5)
    expect(page.locator("#times li").first).to_contain_text("Mon")
    expect(page.locator("#times li").first).to_contain_text(", 03:30 EE")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    page.fill("#cron", "61 3 * * MON")
    expect(page.locator("#times .error")).to_contain_text("The first field is the minute")
    page.get_by_role("button", name="Schedule it").click()
    expect(page.locator("#reason-e")).to_have_text("Say why: the audit trail keeps it.")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    assert [one for one in said if "400" not in one] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_one_is_seen_run_and_paused(page_as: PageAs, agent: Agent, scheme: str) -> None:
    page = page_as("operator", scheme=scheme)
    scheduled(page, agent)
    page.goto("/schedules/")
    expect(page.locator("tbody tr", has_text=agent.id)).to_contain_text("30 3 * * MON Europe/Bucharest")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    page.set_viewport_size({"width": 1440, "height": 900})
    said = watch_console(page)
    page.locator("tbody tr", has_text=agent.id).get_by_role("link", name=f"Restart {NGINX}").click()
    open_live(page, page.url, "schedule:")
    agent.hub.sql("update actions_schedule set next_at = now() where uuid = %s", page.url.split("/")[-2])
    expect(page.locator("article li").first).to_contain_text("Given by schedule", timeout=120_000)
    expect(page.locator("article li").first).to_contain_text("Queued")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("article .pill")).to_have_text("Paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("article .pill")).to_have_text("On")
    assert said == []


def test_without_scripts_one_is_made_and_deleted(page_as: PageAs, agent: Agent) -> None:
    page = page_as("operator", java_script_enabled=False)
    page.goto(f"/schedules/new/?server={agent.id}&target={NGINX}&cmd=restart")
    page.fill("#cron", "30 3 * * MON")
    page.get_by_role("button", name="Show the next times").click()
    expect(page.locator("#times li")).to_have_count(5)
    page.fill("#reason", REASON)
    page.get_by_role("button", name="Schedule it").click()
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete the schedule").click()
    expect(page.locator("h1")).to_have_text("Schedules")
    expect(page.locator("tbody tr", has_text=agent.id)).to_have_count(0)


def test_keys_lead_there(page_as: PageAs) -> None:
    page = page_as("viewer")
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.locator("h1")).to_have_text("Schedules")
