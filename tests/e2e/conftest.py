"""Whole processes and a real browser: nothing here touches the tests' own database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.chromium import launched, wait_for_scripts
from tests.e2e.hub import PASSWORD
from tests.hosts.conftest import hub, lab  # noqa: F401  # the fixtures
from tests.patience import PATIENCE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="module")
def chromium_page() -> Iterator[Page]:
    """One page of a fresh Chromium profile; script errors fail the test that meets them."""
    with sync_playwright() as playwright:
        browser = launched(playwright)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, locale="en-GB")
        page.set_default_timeout(15_000 * PATIENCE)
        wait_for_scripts(page)
        broken: list[str] = []
        page.on("pageerror", lambda error: broken.append(str(error)))
        yield page
        browser.close()
    assert broken == []


def sign_in(page: Page, url: str) -> None:
    """As the first admin."""
    page.goto(url)
    page.fill("[name=username]", "admin")
    page.fill("[name=password]", PASSWORD)
    page.click("button:has-text('Sign in')")
    expect(page.locator("h1")).to_be_visible()
