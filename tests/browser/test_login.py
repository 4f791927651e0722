"""Signing in, the theme and the language, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PageAs
from tests.browser.fill import PASSWORD
from tests.browser.looks import WIDTHS, accessible, fits, watch_console


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_is_accessible_and_fits(page_as: PageAs, scheme: str) -> None:
    page = page_as(None, scheme=scheme)
    said = watch_console(page)
    page.goto("/login/")
    page.fill("[name=username]", "viewer")
    page.fill("[name=password]", "wrong")
    page.click("button.primary")
    expect(page.locator("#p-e")).to_contain_text("User name or password is wrong.")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    assert said == []


def test_leads_where_one_was_going(page_as: PageAs) -> None:
    page = page_as(None)
    page.goto("/?status=silent")
    page.fill("[name=username]", "viewer")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Fleet")
    assert page.url.endswith("/?status=silent")


def test_a_wrong_password_says_how_many_tries_are_left(page_as: PageAs) -> None:
    page = page_as(None)
    page.goto("/login/")
    for left in ("4 tries left", "3 tries left"):
        page.fill("[name=username]", "somebody")
        page.fill("[name=password]", "wrong")
        page.click("button.primary")
        expect(page.locator("#p-e")).to_contain_text(left)
        expect(page.locator("[name=password]")).to_be_focused()
        assert page.input_value("[name=username]") == "somebody"


def test_the_theme_is_switched_at_once_and_kept(page_as: PageAs) -> None:
    page = page_as("viewer", scheme="light")
    page.goto("/")
    with page.expect_response("**/theme/"):
        page.click("[data-theme-toggle]")
    assert page.get_attribute("html", "data-theme") == "dark"
    page.goto("/")
    assert page.get_attribute("html", "data-theme") == "dark"  # from the first byte: the server wrote it


def test_the_language_is_kept_and_the_page_stays(page_as: PageAs) -> None:
    page = page_as("viewer")
    page.goto("/?status=up")
    page.click(".topbar form button[name=language]")
    expect(page.locator("html")).to_have_attribute("lang", "ro")
    assert page.url.endswith("/?status=up")
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", "ro")


def test_everything_works_without_scripts(page_as: PageAs) -> None:
    page = page_as(None, java_script_enabled=False)
    page.goto("/")
    page.fill("[name=username]", "operator")
    page.fill("[name=password]", PASSWORD)
    page.click("button.primary")
    page.click("#more a")
    assert "from=40" in page.url
    page.fill("[name=q]", "cache")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=cache**")
    for name in page.locator("#servers th a").all_text_contents():
        assert name.startswith("cache")
    page.click("details.menu summary")
    page.click("text=Sign out")
    expect(page.locator("h1")).to_have_text("Sign in")
