"""Stopping a service for a time, in a real browser: the choice, the countdown, the way back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.acting import (
    BOOT,
    NGINX,
    RUNNING_ANEW,
    STOPPED,
    another,
    begin,
    finish,
    lend,
    procs,
    services,
    take,
    tell_lease,
)  # fmt: skip
from tests.browser.conftest import PageAs
from tests.browser.hub import Agent
from tests.browser.looks import WIDTHS, accessible, fits, watch_console

COUNTING = re.compile(r"back in 19:\d\d")


@pytest.fixture
def agent(new_agent: Callable[..., Agent]) -> Agent:
    """A server whose agent can stop services for a time."""
    made = another(new_agent, procs(20))
    made.report(procs=procs(20), services=services(), features=["leases"], **BOOT)
    return made


def opened(page_as: PageAs, agent: Agent, role: str = "operator") -> Page:
    page = page_as(role)
    page.goto(f"/servers/{agent.id}/")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    return page


def row(page: Page) -> Locator:
    return page.locator("#services tr", has_text=NGINX)


def button(page: Page, label: str) -> Locator:
    return row(page).get_by_role("link", name=label, exact=True)


def soon(seconds: int) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def ask(page: Page, choice: str = "20 min") -> None:
    button(page, f"Stop {NGINX}").click()
    expect(page.locator("#why")).to_be_focused()
    page.select_option("#lent", label=choice)
    page.fill("#why", "Move its disk")
    page.keyboard.press("Enter")


def test_the_dialog_says_for_how_long(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    said = watch_console(page)
    button(page, f"Stop {NGINX}").click()
    confirms = page.locator("#confirm [value=run]")
    expect(page.locator("#lent option")).to_have_text(["—", "10 min", "20 min", "1 h", "4 h"])
    expect(confirms).to_have_text("Stop nginx")
    page.select_option("#lent", label="20 min")
    expect(confirms).to_have_text("Stop nginx for 20 min")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    page.keyboard.press("Enter")
    assert said == []


def test_it_counts_down_on_every_page_until_it_is_back(page_as: PageAs, agent: Agent) -> None:
    page, fleet = opened(page_as, agent), page_as("operator")
    fleet.goto("/")
    ask(page)
    expect(page.locator("#asked")).to_contain_text(f"Stop {NGINX} for 20 min is queued.")
    given = take(agent)
    assert given["args"] == {"forSec": 1200}
    until = soon(1199)
    lend(agent, given, until)
    expect(row(page)).to_contain_text(COUNTING)
    mine = fleet.locator("#lent li", has_text=agent.id)
    expect(mine).to_contain_text(COUNTING)
    shown = str(row(page).locator("time[data-until]").first.text_content())
    expect(row(page).locator("time[data-until]").first).not_to_have_text(shown)
    for seen in (page, fleet):
        accessible(seen)
        for width in WIDTHS:
            fits(seen, width)
    tell_lease(agent, given, "started", until, runs=True, attempts=1, before=STOPPED, after=RUNNING_ANEW)
    expect(row(page)).not_to_contain_text("back in")
    expect(mine).to_have_count(0)
    page.locator("#commands li a").first.click()
    expect(page.locator("article")).to_contain_text("Its agent started it again at")
    expect(page.locator("article")).to_contain_text("Up and steady: active for 5 s. Main PID 456.")
    accessible(page)


def test_it_is_extended_and_kept_stopped_from_its_row(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    ask(page)
    lend(agent, take(agent), soon(1199))
    button(page, f"Extend the stop of {NGINX}").click()
    page.select_option("#lent", label="4 h")
    expect(page.locator("#confirm [value=run]")).to_have_text("Extend the stop of nginx to 4 h from now")
    page.fill("#why", "It takes longer")
    page.keyboard.press("Enter")
    given = take(agent)
    assert (given["cmd"], given["args"]) == ("extend", {"forSec": 14_400})
    begin(agent, given)
    finish(agent, given, before=STOPPED, after=STOPPED, until=soon(14_399))
    expect(row(page)).to_contain_text(re.compile(r"back in 3:59:\d\d"))
    button(page, f"Keep {NGINX} stopped").click()
    page.fill("#why", "Needed no more")
    page.keyboard.press("Enter")
    given = take(agent)
    assert (given["cmd"], given["args"]) == ("keep", {})
    begin(agent, given)
    finish(agent, given, before=STOPPED, after=STOPPED)
    expect(row(page)).not_to_contain_text("back in")
    expect(button(page, f"Start {NGINX}")).to_be_visible()


def test_a_start_that_failed_stays_in_sight(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    ask(page, "10 min")
    given = take(agent)
    until = soon(599)
    lend(agent, given, until)
    expect(row(page)).to_contain_text("back in")
    failed = {**STOPPED, "activeState": "failed"}
    tell_lease(agent, given, "failed", until, attempts=5, reason="exit code 1", after=failed, log=["no <b>config</b>"])
    expect(row(page)).to_contain_text("not started again")
    row(page).locator("a.status").click()
    expect(page.locator("article")).to_contain_text("It was not started again")
    expect(page.locator("article")).to_contain_text("The agent says: exit code 1")
    expect(page.locator("article pre")).to_contain_text("no <b>config</b>")
    page.goto("/")
    expect(page.locator("#lent li", has_text=agent.id)).to_contain_text("not started again")


def test_without_scripts_and_for_viewers(page_as: PageAs, agent: Agent) -> None:
    page = page_as("operator", java_script_enabled=False)
    page.goto(f"/servers/{agent.id}/")
    button(page, f"Stop {NGINX}").click()
    page.select_option("#lent", label="1 h")
    page.click("[value=run]")
    expect(page.locator("#why-e")).to_be_visible()
    expect(page.locator("[value=run]")).to_have_text("Stop nginx for 1 h")
    page.fill("#why", "by hand")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(f"Stop {NGINX} for 1 h")
    lend(agent, take(agent), soon(3599))
    seen = page_as("viewer", java_script_enabled=False)
    seen.goto(f"/servers/{agent.id}/")
    expect(row(seen)).to_contain_text(re.compile(r"back in 59:\d\d"))
    assert row(seen).locator(".btn").count() == 0
