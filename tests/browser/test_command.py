"""Giving a command and following it, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.acting import BOOT, BROKEN, NGINX, another, begin, finish, procs, services, take
from tests.browser.conftest import PageAs
from tests.browser.hub import Agent, Hub
from tests.browser.looks import WIDTHS, accessible, fits, watch_console

FAILED = {"activeState": "failed", "subState": "failed", "result": "exit-code", "settledSec": 5}


@pytest.fixture
def agent(new_agent: Callable[..., Agent]) -> Agent:
    """A server of its own for each test."""
    return another(new_agent, procs(20))


def opened(page_as: PageAs, address: str, role: str = "operator", **look: Any) -> Page:
    page = page_as(role, **look)
    page.goto(address)
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    return page


def row(page: Page, name: str = NGINX) -> Locator:
    return page.locator("#services tr", has_text=name)


def button(page: Page, verb: str = "Restart", name: str = NGINX) -> Locator:
    return row(page, name).get_by_role("link", name=f"{verb} {name}", exact=True)


def ask(page: Page, reason: str = "New TLS certificate") -> None:
    """Restart nginx from the server page."""
    button(page).click()
    page.fill("#why", reason)
    page.keyboard.press("Enter")
    expect(page.locator("#asked")).to_contain_text(f"Restart {NGINX} is queued.")


def pill(page: Page) -> Locator:
    return page.locator("article .pill")


def asked_by_keyboard(page: Page) -> None:
    button(page).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#why")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_open_dialog_is_accessible_and_fits(page_as: PageAs, agent: Agent, scheme: str) -> None:
    page = opened(page_as, f"/servers/{agent.id}/", scheme=scheme)
    said = watch_console(page)
    asked_by_keyboard(page)
    page.keyboard.press("Enter")
    expect(page.locator("#why-e")).to_have_text("Say why: the audit trail keeps it.")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_commands_page_is_accessible_and_fits_in_each_state(page_as: PageAs, agent: Agent, scheme: str) -> None:
    page = opened(page_as, f"/servers/{agent.id}/", scheme=scheme)
    ask(page)
    page.click("#asked a")
    expect(page).to_have_url(re.compile("/commands/"))
    accessible(page)
    given = take(agent)
    begin(agent, given)
    expect(pill(page)).to_have_text("Running")
    accessible(page)
    log = ["03:11:52 nginx[83390]: [emerg] mmap failed " + "x" * 200, "<script>alert(1)</script>"]
    finish(agent, given, outcome="failed", exitCode=1, after=FAILED, output="Job failed.", log=log)
    expect(pill(page)).to_have_text("Failed")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)


def test_the_keyboard_path(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, f"/servers/{agent.id}/")
    asked_by_keyboard(page)
    page.keyboard.press("Escape")
    expect(page.locator("#confirm")).to_be_hidden()
    expect(button(page)).to_be_focused()
    asked_by_keyboard(page)
    page.keyboard.type("New TLS certificate")
    page.keyboard.press("Enter")
    expect(page.locator("#confirm")).to_be_hidden()
    expect(row(page)).to_contain_text("Queued")
    expect(row(page).locator("a.status")).to_be_focused()
    expect(page.locator("#commands li").first).to_contain_text("New TLS certificate")


def test_the_backdrop_and_the_buttons_cancel(page_as: PageAs, agent: Agent, hub: Hub) -> None:
    page = opened(page_as, f"/servers/{agent.id}/")
    for cancel in ("backdrop", "#confirm .dialog-head [data-close]", "#confirm .dialog-foot [data-close]"):
        button(page).click()
        expect(page.locator("#why")).to_be_focused()
        page.mouse.click(5, 5) if cancel == "backdrop" else page.click(cancel)
        expect(page.locator("#confirm")).to_be_hidden()
    assert commands(hub, agent) == []


def test_what_was_typed_survives_a_refusal(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, f"/servers/{agent.id}/")
    button(page).click()
    page.fill("#why", "Because")
    page.select_option("[name=within]", "3600")
    listed = services()
    listed[0]["verbs"] = []  # meanwhile the owner thought better of it
    agent.report(procs=procs(20), services=listed, **BOOT)
    page.keyboard.press("Enter")
    page.locator("#confirm [value=run]").click()
    expect(page.locator("#confirm-problem")).to_contain_text("does not offer to restart")
    assert page.input_value("#why") == "Because"
    assert page.input_value("[name=within]") == "3600"


def commands(hub: Hub, agent: Agent) -> list[tuple[Any, ...]]:
    return hub.sql(
        "SELECT c.state FROM actions_command c JOIN servers_server s ON s.id = c.server_id WHERE s.agent_id = %s",
        agent.id,
    )


def test_a_double_click_makes_one_command(page_as: PageAs, agent: Agent, hub: Hub) -> None:
    page = opened(page_as, f"/servers/{agent.id}/")
    button(page).click()
    page.fill("#why", "twice")
    page.dblclick("#confirm [value=run]")
    expect(row(page)).to_contain_text("Queued")
    assert len(commands(hub, agent)) == 1


def test_a_command_is_followed_to_its_proof(page_as: PageAs, agent: Agent) -> None:
    server = opened(page_as, f"/servers/{agent.id}/")
    ask(server)
    address = server.get_attribute("#asked a", "href")
    page = opened(page_as, str(address), "viewer")
    expect(pill(page)).to_have_text("Queued")
    given = take(agent)
    expect(pill(page)).to_have_text("Delivered")
    begin(agent, given)
    expect(pill(page)).to_have_text("Running")
    expect(row(server)).to_contain_text("Restarting")
    assert row(server).locator("button:disabled").count() == 3
    finish(agent, given)
    expect(pill(page)).to_have_text("Succeeded, verified")
    expect(page.locator("article")).to_contain_text("Back and steady: active for 5 s. Main PID 456.")
    expect(page.locator("article tr", has_text="Main PID")).to_contain_text("456")
    expect(page.locator(".steps li")).to_have_text(
        [re.compile(word) for word in ("Queued", "Delivered", "Running", "Succeeded")]
    )
    expect(row(server)).to_contain_text("active")
    expect(button(server)).to_be_visible()
    expect(server.locator("#commands li").first).to_contain_text("Succeeded, verified")


def test_cancelling_while_it_is_queued(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, f"/servers/{agent.id}/")
    ask(page)
    page.click("#asked a")
    page.get_by_role("button", name="Cancel").click()
    expect(pill(page)).to_have_text("Cancelled")
    expect(page.locator("article")).to_contain_text("Taken back by operator. It never ran.")
    expect(page.locator("#again")).to_contain_text("Try again…")


@pytest.mark.parametrize("width", [1440, 390])
def test_a_reason_without_a_blank_is_shown_whole(page_as: PageAs, agent: Agent, width: int) -> None:
    page = opened(page_as, f"/servers/{agent.id}/", width=width)
    ask(page, reason="W" * 200)
    page.click("#asked a")
    article, reason = page.locator("article").bounding_box(), page.get_by_text("W" * 200).bounding_box()
    assert article
    assert reason
    assert reason["x"] + reason["width"] <= article["x"] + article["width"]
    page.get_by_role("button", name="Cancel").click()
    expect(pill(page)).to_have_text("Cancelled")


def test_cancelling_is_over_once_it_is_delivered(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, f"/servers/{agent.id}/")
    ask(page)
    page.click("#asked a")
    take(agent)
    expect(pill(page)).to_have_text("Delivered")
    expect(page.get_by_role("button", name="Cancel")).to_be_disabled()


def test_trying_again_leads_to_the_new_command(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, f"/servers/{agent.id}/")
    ask(page)
    page.click("#asked a")
    page.get_by_role("button", name="Cancel").click()
    old = page.url
    page.click("#do-again")
    page.fill("#why", "once more")
    page.keyboard.press("Enter")
    expect(pill(page)).to_have_text("Queued")
    assert page.url != old


def test_a_refusal_is_told_with_the_agents_reason(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, f"/servers/{agent.id}/")
    ask(page)
    page.click("#asked a")
    finish(agent, take(agent), outcome="refused", reason="<b>not on the list</b>", before=None, after=None)
    expect(pill(page)).to_have_text("Refused")
    expect(page.locator("article")).to_contain_text("<b>not on the list</b>")
    assert page.locator("article p b b").count() == 0


def test_two_operators_cause_one_restart(page_as: PageAs, agent: Agent, hub: Hub) -> None:
    first, second = (opened(page_as, f"/servers/{agent.id}/", role) for role in ("operator", "admin"))
    button(second).click()
    ask(first)
    second.fill("#why", "me too")
    second.keyboard.press("Enter")
    expect(second.locator("#asked")).to_contain_text("was already asked for by operator; you joined.")
    assert len(commands(hub, agent)) == 1


def test_acts_without_scripts(page_as: PageAs, agent: Agent) -> None:
    page = page_as("operator", java_script_enabled=False)
    page.goto(f"/servers/{agent.id}/")
    button(page, "Start", BROKEN).click()
    page.click("[value=run]")
    expect(page.locator("#why-e")).to_be_visible()
    page.fill("#why", "by hand")
    page.keyboard.press("Enter")
    expect(pill(page)).to_have_text("Queued")
    page.get_by_role("button", name="Cancel").click()
    expect(pill(page)).to_have_text("Cancelled")
