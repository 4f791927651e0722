"""Keeping a command for a server that is away, and what waits, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting import NGINX, another, procs
from tests.browser.conftest import PageAs
from tests.browser.hub import Agent
from tests.browser.looks import WIDTHS, accessible, fits, open_live, watch_console


@pytest.fixture
def agent(new_agent: Callable[..., Agent]) -> Agent:
    """A server of its own for each test, which takes no command."""
    return another(new_agent, procs(5))


def confirming(page: Page, agent: Agent) -> None:
    """The dialog is open, with a reason."""
    page.goto(f"/servers/{agent.id}/")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    page.get_by_role("link", name=f"Restart {NGINX}", exact=True).click()
    page.fill("#why", "New TLS certificate")


def panel_row(page: Page, agent: Agent) -> str:
    """The selector of the agent's row in the panel."""
    (number,) = agent.hub.sql(
        "select max(c.id) from actions_command c join servers_server s on s.id = c.server_id where agent_id = %s",
        agent.id,
    )[0]
    return f"#wait-{number}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_command_is_kept_until_a_date_in_the_readers_zone(page_as: PageAs, agent: Agent, scheme: str) -> None:
    page = page_as("operator", scheme=scheme, timezone_id="Europe/Bucharest")
    said = watch_console(page)
    confirming(page, agent)
    expect(page.locator("[name=until]")).to_be_hidden()
    page.select_option("[name=within]", "until")
    expect(page.locator("[name=until]")).to_be_visible()
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    page.click("[value=run]")
    expect(page.locator("#until-e")).to_have_text("Say until when it may wait.")
    expect(page.locator("[name=until]")).to_be_focused()
    accessible(page)
    day = datetime.now(UTC) + timedelta(days=2)
    page.fill("[name=until]", f"{day:%Y-%m-%d}T12:00")
    page.click("[value=run]")
    expect(page.locator("#asked")).to_contain_text("is queued")
    (until,) = agent.hub.sql("select deliver_by from actions_command order by id desc limit 1")[0]
    there = datetime.fromisoformat(f"{day:%Y-%m-%d}T12:00").replace(tzinfo=ZoneInfo("Europe/Bucharest"))
    assert abs(until - there) < timedelta(minutes=1)
    assert said == []


def test_what_waits_appears_and_is_taken_back_on_the_dashboard(page_as: PageAs, agent: Agent) -> None:
    dashboard = page_as("operator")
    said = watch_console(dashboard)
    open_live(dashboard, "/", "waiting:all")
    page = page_as("operator")
    confirming(page, agent)
    page.select_option("[name=within]", "86400")
    page.click("[value=run]")
    expect(page.locator("#asked")).to_contain_text("is queued")
    row = panel_row(page, agent)
    expect(dashboard.locator(row)).to_contain_text(f"Restart {NGINX}", timeout=120_000)
    expect(page.locator(row)).to_be_visible()
    accessible(dashboard)
    for width in WIDTHS:
        fits(dashboard, width)
        fits(page, width)
    dashboard.locator(row).get_by_role("button", name="Cancel").click()
    expect(dashboard.locator(row)).to_have_count(0)
    expect(page.locator(row)).to_have_count(0)
    expect(page.locator("#waiting")).to_be_hidden()
    assert said == []


def test_without_scripts_it_waits_and_is_taken_back(page_as: PageAs, agent: Agent) -> None:
    page = page_as("operator", java_script_enabled=False)
    page.goto(f"/servers/{agent.id}/services/{NGINX}/restart/")
    page.fill("#why", "New TLS certificate")
    page.select_option("[name=within]", "until")
    page.fill("[name=until]", f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}T12:00")
    page.click("[value=run]")
    expect(page.locator("article .pill")).to_have_text("Queued")
    agent.hub.sql("update actions_command set created_at = created_at - interval '10 s' where state = 'queued'")
    page.goto(f"/servers/{agent.id}/")
    page.locator(panel_row(page, agent)).get_by_role("button", name="Cancel").click()
    expect(page.locator("article .pill")).to_have_text("Cancelled")
