"""The page that finds processes in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import PageAs
from tests.browser.hub import Agent
from tests.browser.looks import WIDTHS, accessible, fits, watch_console

HOSTILE = "<img src=x onerror=document.title='hit'>\u202e " + "long " * 60


@pytest.fixture(scope="module")
def agent(new_agent: Callable[..., Agent]) -> Agent:
    """A server with processes that nobody else has."""
    procs = [
        {"name": "uncommon", "pid": 4711, "cpu": 3.0, "memMB": 900, "status": "running", "startTicks": 7},
        {"name": "uncommon", "pid": 4712, "cpu": 101.5, "memMB": 9, "status": "sleeping", "cmdline": HOSTILE},
    ]  # fmt: skip
    return new_agent("srv-with-something-uncommon-in-rack-17-0001", procs=procs)


def find(page: Page, words: str) -> None:
    """Type a search and start it, from the keyboard alone."""
    page.locator("h1").click()
    page.keyboard.press("/")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type(words)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_is_accessible_and_fits(page_as: PageAs, agent: Agent, scheme: str) -> None:
    page = page_as("operator", scheme=scheme)
    said = watch_console(page)
    for address, seen in (
        ("", "What to look for"),
        ("?q=uncommon", "2 processes on 1 server"),
        ("?q=uncommon&when=hour", "servers were looked through"),
        ("?q=nothing-like-it", "No process matches"),
    ):
        page.goto(f"/processes/{address}")
        expect(page.locator("#main")).to_contain_text(seen)
        accessible(page)
        for width in WIDTHS:
            fits(page, width)
        page.set_viewport_size({"width": 1440, "height": 900})
    assert said == []
    page.goto("/processes/?q=nmae:x&when=between&from=soon")
    expect(page.locator("#q-e")).to_contain_text("There is no nmae: here")
    accessible(page)
    fits(page, 320)


def test_from_the_keyboard_to_the_process(page_as: PageAs, agent: Agent) -> None:
    page = page_as("operator")
    page.goto("/")
    page.locator("h1").click()
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.locator("h1")).to_have_text("Processes")
    expect(page.locator(".nav [aria-current=page]")).to_have_text("Processes")
    find(page, "name:uncommon")
    expect(page).to_have_url(re.compile(r"/processes/\?q=name%3Auncommon$"))
    rows = page.locator("#found-rows tr")
    expect(rows.locator("td:nth-child(3)")).to_have_text(["4712", "4711"])
    assert page.title() != "hit"
    page.get_by_role("link", name="Memory MB").click()
    expect(rows.locator("td:nth-child(3)")).to_have_text(["4711", "4712"])
    page.locator("h1").click()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(rows.nth(1).locator("th a")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/servers/{agent.id}/#proc-4711-7$"))


def test_of_the_past_it_shows_as_it_is_found_and_can_be_stopped(page_as: PageAs, agent: Agent) -> None:
    page = page_as("operator")
    held: list[Route] = []
    page.route(
        "**/processes/part/**",
        lambda route: held.append(route) if "stop=1" not in route.request.url else route.continue_(),
    )
    page.goto("/processes/?q=uncommon&when=hour")
    expect(page.locator("#searching")).to_contain_text(re.compile(r"1 of \d+ servers"))
    page.locator("#search-stop").click()
    expect(page.locator("#searching")).to_contain_text("Stopped after 1 of")
    assert len(held) == 1
    page.unroute_all()
    page.locator("#search-on").click()
    expect(page.locator("#searching")).to_contain_text("servers were looked through.")
    expect(page.locator("#found-h")).to_have_text("2 processes on 1 server")
    expect(page.locator("#found-rows tr")).to_have_count(2)
    assert "at=" in str(page.locator("#found-rows a").first.get_attribute("href"))


def test_a_moment_is_the_readers_own_time(page_as: PageAs, agent: Agent) -> None:
    page = page_as("operator", timezone_id="Europe/Bucharest")
    page.goto("/processes/?q=uncommon")
    page.get_by_text("At a moment").click()
    page.locator("[name=at]").fill("2026-01-05T10:00:00")
    page.get_by_role("button", name="Find").click()
    expect(page).to_have_url(re.compile(r"at=2026-01-05T08%3A00%3A00Z"))
    expect(page.locator("[name=at]")).to_have_value(re.compile("^2026-01-05T10:00(:00)?$"))
