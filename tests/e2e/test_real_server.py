"""The main job on a real Debian server with real systemd: install by the README, restart a service, prove it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import sign_in
from tests.e2e.hub import Hub
from tests.hosts.agent_install import install_agent
from tests.hosts.host import Host
from tests.hosts.lab import Lab

pytestmark = [pytest.mark.hosts, pytest.mark.browser, pytest.mark.xdist_group("hosts")]
UNIT = "redis-server.service"


@pytest.fixture(scope="module")
def server(lab: Lab, hub: Hub) -> Iterator[Host]:
    (host,) = lab.boot("srv-redis-01")
    install_agent(host, hub.url, hub.enrolment_key, f"start,stop,restart:{UNIT}")
    yield host
    lab.discard(host)


def test_restart_of_a_real_service_is_proved_and_on_record(hub: Hub, server: Host, chromium_page: Page) -> None:
    page = chromium_page
    pid_before = server.unit_state(UNIT)["MainPID"]
    sign_in(page, hub.url)
    page.click("#servers a:has-text('srv-redis-01')", timeout=120_000)
    row = page.locator(f"#services tr:has-text('{UNIT}')")
    expect(row).to_contain_text(pid_before)
    row.locator("a:has-text('Restart')").click()
    expect(page.locator("#confirm [name=reason]")).to_be_focused()
    page.fill("#confirm [name=reason]", "prove it")
    page.keyboard.press("Enter")
    recent = page.locator("li[id^=cmd-]").first
    expect(recent).to_have_attribute("data-state", "succeeded", timeout=120_000)

    pid_after = server.unit_state(UNIT)["MainPID"]
    assert pid_after != pid_before
    expect(row).to_contain_text(pid_after, timeout=120_000)
    recent.locator("a").first.click()
    expect(page.locator("article")).to_contain_text(pid_after)
    expect(page.locator(".steps [data-state=succeeded]")).to_have_count(4)
    page.goto(f"{hub.url}/audit/")
    expect(page.locator("tbody tr").first).to_contain_text(re.compile("Restart"))
    expect(page.locator("table")).to_contain_text("prove it")


def test_a_service_that_may_not_be_touched_says_so_on_its_buttons(hub: Hub, server: Host, chromium_page: Page) -> None:
    page = chromium_page
    page.goto(f"{hub.url}/servers/srv-redis-01/")
    row = page.locator("#services tr:has-text('nginx.service')")
    expect(row).to_have_count(1)
    expect(row.locator("a[data-act]")).to_have_count(0)
    restart = row.get_by_role("button", name="Restart nginx.service")
    expect(restart).to_be_disabled()
    expect(restart).to_have_accessible_description("srv-redis-01's owner does not allow restart of nginx.service")


def test_a_server_that_stops_reporting_turns_silent_and_comes_back(hub: Hub, server: Host, chromium_page: Page) -> None:
    page = chromium_page
    page.goto(f"{hub.url}/servers/srv-redis-01/")
    server.cut()
    expect(page.locator("#srv-status")).to_have_attribute("data-state", "silent", timeout=120_000)
    assert page.locator("#procs tr").count() > 5, "the last values stay"
    server.heal()
    expect(page.locator("#srv-status")).to_have_attribute("data-state", "up", timeout=120_000)
