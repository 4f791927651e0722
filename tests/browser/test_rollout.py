"""Planning a rollout, starting it and seeing it through, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting import RUNNING, begin, finish, take
from tests.browser.conftest import PageAs
from tests.browser.hub import Agent
from tests.browser.looks import WIDTHS, accessible, fits, open_live, watch_console

UNIT = "cache.service"
FAILED = {"activeState": "failed", "subState": "failed", "result": "exit-code", "settledSec": 5}
_groups = count(1)


@pytest.fixture
def group() -> str:
    return f"Rolling {next(_groups)}"


@pytest.fixture
def agents(new_agent: Callable[..., Agent], group: str) -> list[Agent]:
    listed = [{"name": UNIT, **RUNNING, "verbs": ["restart"]}]
    mark = group.split()[1]
    return [new_agent(f"cache-{mark}-{number}", group=group, services=listed) for number in range(1, 4)]


def obey(agent: Agent, **result: object) -> None:
    given = take(agent, wait=30)
    begin(agent, given)
    finish(agent, given, **result)


def planned(page: Page, group: str, pause: int = 0) -> None:
    """Fill in the form as a person does."""
    page.goto("/rollouts/")
    page.get_by_role("link", name="New rollout").click()
    page.get_by_label("Service", exact=True).fill(UNIT)
    page.get_by_label("Group").select_option(group)
    page.get_by_label("Pause between batches, s").fill(str(pause))
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator("#plan .cell")).to_have_count(3)


def started(page: Page, group: str, pause: int = 0) -> str:
    """Start it; the address of its page."""
    planned(page, group, pause)
    page.fill("#why", "New TLS certificate")
    page.fill("#count", "3")
    page.keyboard.press("Enter")
    expect(page.locator("#rollout-state")).to_contain_text("batch 1 of 3")
    return page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_plan_and_the_halted_page_are_accessible_and_fit(
    page_as: PageAs, agents: list[Agent], group: str, scheme: str
) -> None:
    page = page_as("operator", scheme=scheme)
    said = watch_console(page)
    planned(page, group)
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    page.set_viewport_size({"width": 1440, "height": 900})
    address = started(page, group)
    obey(agents[0], outcome="failed", exitCode=1, after=FAILED, log=["bad configuration " + "x" * 200])
    expect(page.locator("#rollout-state")).to_contain_text("Halted in batch 1 of 3: cache did not restart on")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.click("#do-rollout-end")
    expect(page.locator("#why")).to_be_focused()
    accessible(page)
    page.goto("/rollouts/")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    assert address
    assert said == []


def test_a_halt_shows_by_itself_and_retrying_sees_it_through(page_as: PageAs, agents: list[Agent], group: str) -> None:
    page, other = page_as("operator"), page_as("admin")
    address = started(page, group)
    open_live(other, address, "rollout:")
    obey(agents[0], outcome="failed", exitCode=1, after=FAILED)
    for one in (page, other):
        expect(one.locator("#rollout-state")).to_contain_text("1 failed. 2 were not touched and stay as before.")
        expect(one.locator("#batch-1 .cell")).to_have_attribute("data-state", "failed")
    page.click("#do-rollout-retry")
    page.fill("#why", "Repaired")
    page.keyboard.press("Enter")
    expect(page.locator("#confirm")).to_be_hidden()
    for agent in agents:
        obey(agent)
    for one in (page, other):
        expect(one.locator("#rollout-state")).to_contain_text("Finished", timeout=120_000)
        expect(one.locator("#rollout-tally .tally i[data-state=succeeded]")).to_have_count(3)
        expect(one.locator("#batch-3")).to_contain_text("PID 123 → 456")
        expect(one.locator("#rollout-failure")).to_be_hidden()


def test_a_pause_counts_down_and_can_be_ended(page_as: PageAs, agents: list[Agent], group: str) -> None:
    page = page_as("operator")
    started(page, group, pause=600)
    obey(agents[0])
    expect(page.locator("#rollout-state")).to_contain_text("Holding after batch 1 of 3")
    expect(page.locator("#gate-1 time[data-until]")).to_have_text(re.compile(r"^(10:00|9:\d\d)$"))
    page.click("#do-rollout-end")
    page.fill("#why", "Enough")
    page.keyboard.press("Enter")
    expect(page.locator("#rollout-state")).to_contain_text("Ended by operator")
    expect(page.locator("#rollout-state a")).to_have_count(0)


def test_a_wrong_number_is_said_and_nothing_typed_is_lost(page_as: PageAs, agents: list[Agent], group: str) -> None:
    page = page_as("operator")
    planned(page, group)
    page.fill("#why", "New TLS certificate")
    page.fill("#count", "4")
    page.keyboard.press("Enter")
    expect(page.locator("#count-e")).to_have_text("must be the number of servers, 3")
    expect(page.locator("#why")).to_have_value("New TLS certificate")


def test_servers_can_be_ticked_and_left_out(page_as: PageAs, agents: list[Agent], group: str) -> None:
    page = page_as("operator")
    planned(page, group)
    page.locator("#plan .cell", has_text=agents[1].id).get_by_role("checkbox").click()
    expect(page.locator("#plan .cell")).to_have_count(2)  # at once, so that nobody confirms what is no longer shown
    expect(page.locator("#plan")).to_contain_text(f"Left out: {agents[1].id}")
    expect(page.locator("#plan button[data-act]")).to_contain_text("2 servers")
    page.locator("#plan .panel-foot").get_by_role("checkbox").click()
    expect(page.locator("#plan .cell")).to_have_count(3)
    page.get_by_label("Group").select_option("")
    page.locator("summary", has_text="Or tick the servers").click()
    page.get_by_role("checkbox", name=agents[2].id, exact=True).check()
    page.get_by_role("button", name="Show the plan").click()
    expect(page.locator("#plan .cell")).to_have_count(1)
    expect(page.get_by_role("button", name="Restart cache on 1 server")).to_be_visible()


def test_the_keyboard_goes_there(page_as: PageAs) -> None:
    page = page_as("viewer")
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page.locator("h1")).to_have_text("Rollouts")
    expect(page.locator(".nav [aria-current=page]")).to_have_text("Rollouts")
