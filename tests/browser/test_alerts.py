"""Incidents in a real browser: from the list to one's page, live on every page, on a phone, in Romanian."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import count

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PageAs
from tests.browser.hub import Agent, Hub
from tests.browser.looks import WIDTHS, accessible, fits, open_live, watch_console

_numbers = count(1)
OPEN = """
import sys, django; django.setup()
from django.utils import timezone
from alerts import states
from alerts.models import Rule
from alerts.rules import kinds
from servers.models import Server
from tests.alerts.opening import opened, rule
name, agent, subject = sys.argv[1:]
down = Rule.objects.filter(name=name).first() or rule(name, kinds.FAILED, scope=agent)  # else it finds others, too
print(opened(down, Server.objects.get(agent_id=agent), subject).uuid)
"""
NOTICES = """
window.beeps = 0;
document.addEventListener('pm:beep', () => { window.beeps += 1; });
window.said = [];
window.Notification = class { constructor(title) { window.said.push(title); } close() {} };
Notification.permission = 'granted';
Notification.requestPermission = async () => 'granted';
"""


@pytest.fixture
def agent(new_agent: Callable[..., Agent]) -> Agent:
    return new_agent(f"troubled-{next(_numbers)}")


@pytest.fixture
def open_one(page_as: PageAs, hub: Hub, agent: Agent) -> Callable[[str], str]:
    """open_one("nginx.service") -> the uuid of a new incident on the test's server.

    The hub's pages hear of it by what the hub's own process does then: the incident is commented on.
    """
    admin = page_as("admin")
    admin.goto("/audit/")
    token = next(one["value"] for one in admin.context.cookies() if one.get("name") == "csrftoken")

    def opened(subject: str) -> str:
        uuid = hub.python("-c", OPEN, f"Down on {agent.id}", agent.id, subject)
        address, headers = f"/alerts/{uuid}/comment/", {"X-CSRFToken": str(token)}
        assert admin.context.request.post(address, form={"text": "New"}, headers=headers).ok
        return uuid

    return opened


def row(page: Page, title: str) -> Locator:
    return page.locator("#incidents tr", has_text=title)


def test_from_the_list_to_a_comment_on_the_page(page_as: PageAs, agent: Agent, open_one: Callable[[str], str]) -> None:
    uuid = open_one("nginx.service")
    address = f"/alerts/?server={agent.id}"
    other, page = page_as("viewer"), page_as("operator")
    open_live(other, address, "incident:")
    open_live(page, address, "incident:")
    said = watch_console(page)
    accessible(page)
    row(page, "nginx.service failed").get_by_role("button", name="Acknowledge").click()
    for one in (page, other):
        expect(row(one, "nginx.service failed")).to_contain_text("by operator")
    expect(row(page, "nginx.service failed").locator("th a")).to_be_focused()
    open_one("cron.service")
    expect(other.locator("#incidents-new")).to_have_text("1 newer incident, show")
    expect(other.locator("#incidents tr")).to_have_count(1)
    page.goto(f"/alerts/{uuid}/")
    open_live(other, f"/alerts/{uuid}/", "incident:")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.fill("#text", "A leak in php")
    page.get_by_role("button", name="Add the comment").click()
    expect(other.locator("#incident-timeline")).to_contain_text("A leak in php")
    page.get_by_role("link", name="Close by hand…").click()
    expect(page.locator("#confirm h2")).to_contain_text("by hand?")
    accessible(page)
    page.get_by_role("button", name="Close the incident").click()
    for one in (page, other):
        expect(one.locator("#incident")).to_contain_text("Closed by hand")
    assert said == []


def test_all_are_taken_after_a_question(page_as: PageAs, agent: Agent, open_one: Callable[[str], str]) -> None:
    for name in ("a.service", "b.service"):
        open_one(name)
    page = page_as("operator")
    open_live(page, f"/alerts/?server={agent.id}", "incident:")
    page.get_by_role("link", name="Acknowledge all…").click()
    expect(page.locator("#confirm h2")).to_have_text("Acknowledge 2 incidents?")
    accessible(page)
    page.get_by_role("button", name="Acknowledge 2 incidents").click()
    expect(page.locator("#incidents")).to_contain_text("by operator")
    assert page.locator("#incidents button").count() == 0


def test_a_new_one_is_told_once_in_title_sound_and_notice(
    page_as: PageAs, agent: Agent, open_one: Callable[[str], str]
) -> None:
    page = page_as("operator")
    page.context.add_init_script(NOTICES)
    page.goto("/alerts/")
    page.click("#notices-menu summary")
    accessible(page)
    for choice in ("sound", "desktop"):
        page.check(f"[data-notice={choice}]")
    other = page.context.new_page()
    open_live(other, "/audit/", "nav-incidents:")
    open_live(page, f"/servers/{agent.id}/", "nav-incidents:")
    before = int(page.get_attribute("#nav-incidents", "data-count") or 0)
    uuid = open_one("nginx.service")
    for one in (page, other):
        expect(one).to_have_title(f"({before + 1}) {one.title().split(') ')[-1]}")
        expect(one.locator("#nav-incidents")).to_contain_text(str(before + 1))
    page.wait_for_timeout(300)
    told = [said for one in (page, other) for said in one.evaluate("window.said")]
    assert told == [f"Critical: nginx.service failed, {agent.id}"]
    assert sum(one.evaluate("window.beeps") for one in (page, other)) == 1
    expect(page.locator("#incidents")).to_contain_text("nginx.service failed")  # the server's panel
    agent.report()
    expect(page.locator("#srv-status")).to_have_attribute("data-state", "critical")
    other.goto(f"/alerts/{uuid}/close/")
    other.get_by_role("button", name="Close the incident").click()
    expect(page.locator("#incidents")).to_contain_text("Closed by hand")
    for one in (page, other):
        expect(one.locator("#nav-incidents")).to_have_attribute("data-count", str(before))


def test_who_did_not_ask_for_it_is_left_in_peace(page_as: PageAs, open_one: Callable[[str], str]) -> None:
    page = page_as("viewer")
    page.context.add_init_script(NOTICES)
    open_live(page, "/audit/", "nav-incidents:")
    before = page.get_attribute("#nav-incidents", "data-newest")
    open_one("nginx.service")
    expect(page.locator("#nav-incidents")).not_to_have_attribute("data-newest", str(before))
    assert json.loads(page.evaluate("JSON.stringify([window.said, window.beeps])")) == [[], 0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_romanian_lists_and_pages_fit_and_are_accessible(
    page_as: PageAs, agent: Agent, open_one: Callable[[str], str], scheme: str
) -> None:
    uuid = open_one("kafka-broker-with-quite-a-long-name@instance-0003.service")
    page = page_as("operator", scheme=scheme, locale="ro-RO")
    for address in (f"/alerts/?server={agent.id}", f"/alerts/{uuid}/", "/alerts/?s=closed", "/alerts/acknowledge/"):
        page.goto(address)
        accessible(page)
        for width in WIDTHS:
            fits(page, width)


def test_g_and_a_lead_there_and_the_header_fits_a_phone(page_as: PageAs, open_one: Callable[[str], str]) -> None:
    open_one("nginx.service")
    page = page_as("viewer", width=390)
    page.goto("/")
    fits(page, 390)
    page.keyboard.press("g")
    page.keyboard.press("a")
    expect(page.locator("h1")).to_have_text("Alerts")


def test_a_silences_page_moves_by_itself_and_what_is_typed_stays(page_as: PageAs, agent: Agent) -> None:
    admin, other = page_as("admin"), page_as("operator")
    admin.goto("/alerts/silences/new/")
    admin.get_by_label("Reason", exact=True).fill(f"Works on {agent.id}")
    admin.get_by_label("Applies to", exact=True).fill(agent.id)
    admin.get_by_role("button", name="Silence", exact=True).click()
    admin.get_by_role("link", name=f"Works on {agent.id}").click()
    address = admin.url
    open_live(other, address, "silences:all")
    expect(other.locator("#silence-head")).to_contain_text("Active")
    other.get_by_label("Another end").fill("2030-01-02T03:04")
    admin.get_by_role("button", name="End now").click()
    expect(other.locator("#silence-head")).to_contain_text("Over")
    expect(other.locator("#silence-facts")).to_contain_text("Ended by hand")
    expect(other.get_by_label("Another end")).to_have_value("2030-01-02T03:04")
