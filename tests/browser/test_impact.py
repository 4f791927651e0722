"""What the dialog says before the click, when its server has answered, and when the hub does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.acting import NGINX, another, procs
from tests.browser.conftest import PageAs
from tests.browser.hub import Agent, Hub


@pytest.fixture
def agent(new_agent: Callable[..., Agent]) -> Agent:
    """A server of its own for each test, whose agent answers questions."""
    found = another(new_agent, procs(5))
    found.report(features=["reads"])
    return found


def asking(page: Page, agent: Agent) -> None:
    """The dialog is open."""
    page.goto(f"/servers/{agent.id}/")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    page.get_by_role("link", name=f"Restart {NGINX}", exact=True).click()
    expect(page.locator("#confirm[open]")).to_be_visible()


def test_what_would_stop_along_appears_in_the_open_dialog(page_as: PageAs, agent: Agent) -> None:
    page = page_as("operator")
    asking(page, agent)
    dialog = page.locator("#confirm")
    expect(dialog).to_contain_text("Asking the server…")
    expect(dialog.locator("dl")).to_contain_text(agent.id)
    page.fill("#why", "New TLS certificate")
    url = f"{agent.hub.url}/api/actions/queue/{agent.id}?wait=20"
    (read,) = requests.get(url, headers={"X-Agent-Token": agent.token}, timeout=60).json()["reads"]
    found = {"answer": {"stops": [{"name": "php-fpm.service", "activeState": "active"}]}}
    agent.hub.post(f"/api/actions/queue/{agent.id}/reads/{read['id']}", found, agent.token)
    expect(dialog).to_contain_text("php-fpm.service")
    expect(dialog).not_to_contain_text("Asking the server…")
    expect(page.locator("#why")).to_have_value("New TLS certificate")


def test_a_hub_that_does_not_answer_the_button_is_said_in_the_dialog(page_as: PageAs, agent: Agent, hub: Hub) -> None:
    page = page_as("operator")
    asking(page, agent)
    page.fill("#why", "New TLS certificate")
    hub.kill()
    try:
        page.click("#confirm [value=run]")
        expect(page.locator("#confirm #request-failed")).to_contain_text("The hub did not answer. Whether it took")
        expect(page.locator("#why")).to_have_value("New TLS certificate")
    finally:
        hub.start()
