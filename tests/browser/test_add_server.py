"""The empty dashboard shows how to add the first server, and notices when it arrives."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PageAs
from tests.browser.hub import Agent, Hub
from tests.browser.looks import WIDTHS, accessible, fits, watch_console


def test_the_first_server_is_noticed(page_as: PageAs, empty_hub: Hub) -> None:
    page = page_as("admin", on=empty_hub)
    said = watch_console(page)
    page.goto("/")
    expect(page.locator("h1")).to_have_text("Add your first server")
    accessible(page)
    page.click("text=Show the line")
    line = page.locator("#install").inner_text()
    found = re.fullmatch(r"curl -fsSL (\S+)/agent/install\.sh \| sudo sh -s -- --hub (\S+) --key (\S+)", line)
    assert found
    assert found[1] == found[2] == empty_hub.url
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    steps = page.locator("#enrol li")
    expect(steps.nth(0)).to_have_attribute("aria-current", "step")
    agent = Agent(empty_hub, "first-server", found[3])
    expect(steps.nth(0)).to_have_attribute("data-state", "succeeded")
    expect(steps.nth(1)).to_have_attribute("aria-current", "step")
    agent.report()
    expect(steps.nth(1)).to_have_attribute("data-state", "succeeded")
    agent.report(services=[{"name": "ssh.service", "activeState": "active"}])
    expect(steps.nth(2)).to_have_attribute("data-state", "succeeded")
    page.click("text=Open the server")
    expect(page.locator("h1")).to_have_text("first-server")
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_somebody_who_may_not_is_told_who_may(page_as: PageAs, hub: Hub, scheme: str) -> None:
    page = page_as("operator", scheme=scheme)
    page.goto("/add/")
    expect(page.locator("main")).to_contain_text("An administrator can make the line that adds a server.")
    assert page.locator("main form").count() == 0
    accessible(page)
