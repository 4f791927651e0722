"""A list longer than its panel scrolls inside it and leaves the page as long as what it shows."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import PageAs
from tests.browser.hub import Agent

PAGE_AND_MAIN = "[document.documentElement.scrollHeight, document.querySelector('main').getBoundingClientRect().bottom]"


def test_many_services_do_not_lengthen_the_page(page_as: PageAs, new_agent: Callable[..., Agent]) -> None:
    many = [{"name": f"unit-{n}.service", "activeState": "active", "verbs": ["restart"]} for n in range(120)]
    new_agent("web-many-units", services=many)
    page = page_as("operator")
    page.goto("/servers/web-many-units/")
    expect(page.locator("tr[id^=svc-]")).to_have_count(120)
    whole, shown = page.evaluate(PAGE_AND_MAIN)
    assert whole <= shown + 1
