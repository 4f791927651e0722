"""The audit page in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting import NGINX, another, begin, finish, procs, take
from tests.browser.conftest import PageAs
from tests.browser.hub import Agent
from tests.browser.looks import WIDTHS, accessible, fits, watch_console


@pytest.fixture
def agent(new_agent: Callable[..., Agent]) -> Agent:
    """A server of its own for each test."""
    return another(new_agent, procs(5))


def restart(page_as: PageAs, agent: Agent, reason: str) -> Page:
    """An operator restarts the server's nginx by its plain form; it goes well."""
    page = page_as("operator")
    page.goto(f"/servers/{agent.id}/services/{NGINX}/restart/")
    page.fill("#why", reason)
    page.keyboard.press("Enter")
    expect(page.locator("article .pill")).to_have_text("Queued")
    given = take(agent)
    begin(agent, given)
    finish(agent, given)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_is_accessible_and_fits(page_as: PageAs, agent: Agent, scheme: str) -> None:
    restart(page_as, agent, "a reason that is long " * 8)
    page = page_as("operator", scheme=scheme)
    said = watch_console(page)
    page.goto(f"/audit/?server={agent.id}&from=2020-01-01")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    page.goto("/audit/?from=yesterday")
    accessible(page)
    assert said == []


def test_filters_chips_and_the_way_to_the_command(page_as: PageAs, agent: Agent) -> None:
    restart(page_as, agent, "unusual words")
    page = page_as("operator")
    page.goto(f"/audit/?server={agent.id}")
    expect(page.locator("tbody tr")).to_have_count(4)
    page.select_option("[name=state]", "succeeded")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Remove filter Succeeded").click()
    expect(page.locator("tbody tr")).to_have_count(4)
    page.fill("[name=q]", "no such words")
    page.keyboard.press("Enter")
    expect(page.locator(".empty")).to_contain_text("No record matches these filters.")
    page.goto("/audit/?q=unusual+words&state=succeeded")
    page.click("tbody th a")
    expect(page.locator("article .pill")).to_have_text("Succeeded, verified")


def test_newer_records_announce_themselves(page_as: PageAs, agent: Agent) -> None:
    page = page_as("operator")
    page.goto(f"/audit/?server={agent.id}")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    expect(page.locator(".empty")).to_be_visible()
    restart(page_as, agent, "later")
    expect(page.locator("#audit-new")).to_have_text("4 newer records, show")
    assert page.locator("tbody tr").count() == 0
    page.click("#audit-new a")
    expect(page.locator("tbody tr")).to_have_count(4)
    assert f"server={agent.id}" in page.url


def test_the_file_has_what_the_page_shows(page_as: PageAs, agent: Agent) -> None:
    restart(page_as, agent, "=HYPERLINK(1)")
    page = page_as("operator")
    page.goto(f"/audit/?server={agent.id}")
    with page.expect_download() as found:
        page.click("text=CSV")
    lines = Path(found.value.path()).read_text().splitlines()
    assert len(lines) == 5
    assert found.value.suggested_filename.startswith("audit-")
    assert "'=HYPERLINK(1)" in lines[-1]
