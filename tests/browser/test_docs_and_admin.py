"""Swagger UI and the Django admin work under the strict Content-Security-Policy, with nothing from elsewhere."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import PageAs
from tests.browser.looks import watch_console


def test_swagger_ui_shows_the_calls_and_tries_one(page_as: PageAs) -> None:
    page = page_as("operator")
    said = watch_console(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/api/docs")
    page.locator("#swagger-ui .opblock").first.wait_for()
    assert page.locator("#swagger-ui .opblock").count() >= 14
    page.locator(".opblock-summary-path", has_text="/api/servers").first.scroll_into_view_if_needed()
    block = page.locator(".opblock", has=page.locator('.opblock-summary-path[data-path="/api/servers"]'))
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
    assert said == []
    here = page.evaluate("location.origin")
    assert [url for url in asked if not url.startswith((here, "data:", "blob:"))] == []


def test_the_admin_changes_a_group_and_shows_a_key_once(page_as: PageAs) -> None:
    page = page_as("admin")
    said = watch_console(page)
    page.goto("/admin/servers/servergroup/add/")
    page.get_by_label("Name").fill("made in the admin")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_contain_text("made in the admin")
    page.goto("/admin/servers/enrolmentkey/add/")
    page.get_by_label("Uses left").fill("3")
    page.get_by_role("link", name="Today").click()
    page.get_by_role("link", name="Now", exact=True).click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("pme_")
    page.goto("/admin/servers/enrolmentkey/")
    expect(page.locator("#content")).not_to_contain_text("shown again")
    page.goto("/admin/actions/auditentry/")
    expect(page.locator("#content-main .addlink")).to_have_count(0)
    assert said == []
