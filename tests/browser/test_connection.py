"""The hub goes away and comes back: the page says so, turns actions off, and heals itself."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import PageAs
from tests.browser.hub import Agent, Hub

# Until the button is pressed the page's own attempts come to nothing, as one of them might be quicker than the test.
ONLY_BY_HAND = """() => {
  const Real = WebSocket;
  window.WebSocket = class {
    static OPEN = 1;
    constructor() { setTimeout(() => this.onclose?.({code: 1006})); }
    close() {}
  };
  document.querySelector('[data-try-now]').addEventListener('click', () => { window.WebSocket = Real; }, true);
}"""


def test_a_lost_hub_is_shown_and_healed(page_as: PageAs, hub: Hub, new_agent: Callable[..., Agent]) -> None:
    new_agent("web-lost-1", cpu=10)
    page = page_as("viewer")
    page.goto("/?q=web-lost-1")
    live = page.locator("#live")
    expect(live).to_have_attribute("data-state", "live")
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<button id=act data-act>Act</button>')"
    )
    hub.kill()
    try:
        expect(live).to_have_attribute("data-state", "reconnecting")
        expect(page.locator("#offline")).to_have_count(0)
        expect(live).to_have_attribute("data-state", "offline", timeout=120_000)
        expect(page.locator("#offline")).to_contain_text("Not connected since")
        expect(page.locator("body")).to_have_attribute("data-link", "offline")
        expect(page.locator("#act")).to_be_disabled()
        hub.sql("update servers_server set hostname = 'web-renamed-1' where agent_id = 'web-lost-1'")
        page.evaluate(ONLY_BY_HAND)
    finally:
        hub.start()
    page.click("[data-try-now]")
    expect(live).to_have_attribute("data-state", "live")
    expect(page.locator("#offline")).to_have_count(0)
    expect(page.locator("body")).not_to_have_attribute("data-link", "offline")
    expect(page.locator("#act")).to_be_enabled()
    expect(page.locator("#servers th a")).to_have_text("web-renamed-1")  # what happened meanwhile was fetched


def test_it_comes_back_by_itself(page_as: PageAs, hub: Hub) -> None:
    page = page_as("viewer")
    page.goto("/")
    live = page.locator("#live")
    expect(live).to_have_attribute("data-state", "live")
    hub.kill()
    expect(live).to_have_attribute("data-state", "reconnecting")
    hub.start()
    expect(live).to_have_attribute("data-state", "live", timeout=120_000)


def test_an_ended_session_leads_to_signing_in(page_as: PageAs, hub: Hub) -> None:
    page = page_as("operator")
    page.goto("/")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    page.context.clear_cookies()
    hub.kill()
    hub.start()
    page.wait_for_url("**/login/**", timeout=120_000)
