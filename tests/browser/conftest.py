"""A real Chromium on a real hub process.

hub       a hub with 60 servers of several groups (shared by all tests; leave other people's servers as they are)
empty_hub a hub without a server
page_as   page_as("viewer", width=390, scheme="dark", …): a Playwright page of somebody signed in; None: of nobody
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.fill import PASSWORD
from tests.browser.hub import Agent, Hub
from tests.chromium import launched, wait_for_scripts
from tests.patience import PATIENCE

PageAs = Callable[..., Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = launched(playwright)
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    running = Hub(tmp_path_factory.mktemp("hub"), "fleet", 60)
    yield running
    running.close()


@pytest.fixture(scope="package")
def empty_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    running = Hub(tmp_path_factory.mktemp("hub"), "empty", 0)
    yield running
    running.close()


@pytest.fixture(scope="package")
def _signed_in() -> dict[tuple[str, str], Any]:
    """Each hub's and person's cookies, so that one signs in once."""
    return {}


@pytest.fixture
def page_as(browser: Browser, request: pytest.FixtureRequest, _signed_in: dict[Any, Any]) -> Iterator[PageAs]:
    contexts: list[BrowserContext] = []
    broken: list[str] = []  # errors of our scripts, on any page of the test

    def page(role: str | None, on: Hub | None = None, width: int = 1440, scheme: str = "light", **more: Any) -> Page:
        hub = on or request.getfixturevalue("hub")
        if role and (hub.url, role) not in _signed_in:
            _signed_in[hub.url, role] = sign_in(browser, hub, role)
        context = browser.new_context(
            base_url=hub.url, viewport={"width": width, "height": 900}, color_scheme=cast(Any, scheme),
            storage_state=_signed_in[hub.url, role] if role else None, **more,
        )  # fmt: skip
        contexts.append(context)
        made = context.new_page()
        made.set_default_timeout(10_000 * PATIENCE)
        if more.get("java_script_enabled", True):
            wait_for_scripts(made)
        made.on("pageerror", lambda error: broken.append(str(error)))
        return made

    yield page
    for context in contexts:
        context.close()
    assert broken == []


def sign_in(browser: Browser, hub: Hub, role: str) -> Any:
    """The cookies after signing in by the form."""
    with browser.new_context(base_url=hub.url) as context:
        page = context.new_page()
        page.goto("/login/")
        page.fill("[name=username]", role)
        page.fill("[name=password]", PASSWORD)
        page.click("button.primary")
        page.wait_for_selector("#main h1")
        return context.storage_state()


@pytest.fixture(scope="package")
def new_agent(hub: Hub) -> Callable[..., Agent]:
    """new_agent("web-99", group="Web") -> the agent of a server that has just registered and reported."""
    keys: dict[str, str] = {}

    def make(agent_id: str, group: str = "Web", **first: Any) -> Agent:
        if group not in keys:
            keys[group] = hub.python("-c", NEW_KEY, group)
        agent = Agent(hub, agent_id, keys[group])
        agent.report(**first)
        return agent

    return make


NEW_KEY = """
import sys, django; django.setup()
from servers import enrolment, models
group = models.ServerGroup.objects.get_or_create(name=sys.argv[1])[0]
print(enrolment.new_key(uses=1000, group=group))
"""
