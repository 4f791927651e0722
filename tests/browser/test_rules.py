"""Alert rules in a real browser: made with a preview, switched, deleted."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PageAs
from tests.browser.looks import WIDTHS, accessible, fits, watch_console

KINDS = {  # one of each group: what is filled in besides, and what the rule then says
    "disk_used": ({"limit": "97", "mount": "/var"}, "disk /var used above 97% for 10 min"),
    "process_missing": ({"pattern": "keepalived"}, "process keepalived missing for 30 s"),
    "service_failed": ({"service": "nginx.service"}, "nginx.service failed"),
    "command_failed": ({}, "a command failed"),
}


def choose(page: Page, kind: str, fields: dict[str, str]) -> None:
    """Choose what to watch, and wait until its fields are there."""
    with page.expect_response(lambda answer: "/fields/" in answer.url):
        page.select_option("#rule-kind", kind)
    expect(page.locator(f"#rule-fields [name=shown][value={kind}]")).to_be_attached()
    for name, value in fields.items():
        page.fill(f"#rule-{name}", value)


def test_a_rule_of_each_group_is_made_and_previewed(page_as: PageAs) -> None:
    page = page_as("operator")
    said = watch_console(page)
    for kind, (fields, sentence) in KINDS.items():
        page.goto("/alerts/rules/new/")
        page.fill("#rule-name", f"Browser {kind}")
        choose(page, kind, fields)
        page.fill("#rule-scope", "group:Web")
        expect(page.locator("#rule-matches")).to_contain_text("servers match now")
        expect(page.locator("#rule-preview")).to_contain_text("ould")
        page.get_by_role("button", name="Save rule").click()
        expect(page.locator("tbody tr", has_text=f"Browser {kind}")).to_contain_text(sentence)
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_wrong_is_said_and_nothing_is_lost(page_as: PageAs, scheme: str) -> None:
    page = page_as("operator", scheme=scheme)
    page.goto("/alerts/rules/new/")
    page.fill("#rule-name", "<b>Hot</b>")
    choose(page, "process_cpu", {"pattern": "php-fpm*", "limit": ""})
    page.select_option("#rule-by", "user")
    expect(page.locator("#rule-pattern")).to_have_attribute("placeholder", "www-data")
    page.get_by_text("More", exact=True).click()
    page.fill("#rule-k", "3")
    page.select_option("#rule-remedy_cmd", "restart")
    page.get_by_role("button", name="Save rule").click()
    expect(page.locator("#rule-limit-e")).to_contain_text("must be a number")
    expect(page.locator("#rule-n-e")).to_contain_text("from 1 to 60")
    expect(page.locator("#rule-remedy_target-e")).to_contain_text("must name the service")
    expect(page.locator("#rule-limit")).to_be_focused()
    for field, value in (("name", "<b>Hot</b>"), ("by", "user"), ("pattern", "php-fpm*"), ("k", "3")):
        expect(page.locator(f"#rule-{field}")).to_have_value(value)
    accessible(page)
    for width in WIDTHS:
        fits(page, width)


def test_on_a_phone_it_is_switched_and_deleted(page_as: PageAs) -> None:
    page = page_as("admin", width=390)
    said = watch_console(page)
    page.goto("/alerts/rules/new/?name=Phone&kind=server_silent&scope=nowhere-*")
    page.get_by_role("button", name="Save rule").click()
    row = page.locator("tbody tr", has_text="Phone")
    switch = row.get_by_role("switch", name="Phone")
    switch.click()
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(switch).to_be_focused()
    row.get_by_role("link", name="Phone").click()
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete the rule “Phone”?")
    accessible(page)
    page.get_by_role("dialog").get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Delete…").click()
    page.get_by_role("button", name="Delete the rule").click()
    expect(page.locator("#notices")).to_contain_text("is deleted")
    expect(row).to_have_count(0)
    assert said == []
