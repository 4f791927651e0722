"""Signalling a process from its row, in a real browser: a real process, which the agent's own code signals."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agent import host, oneprocess
from agent.allow import Allow
from agent.command import parse
from agent.process_action import ProcessActions
from tests.browser.acting import BOOT, another, begin, finish, proc, procs, take
from tests.browser.conftest import PageAs
from tests.browser.hub import Agent
from tests.browser.looks import WIDTHS, accessible, fits, watch_console

ALLOWED = "signal,renice:sleep*"
CAN: dict[str, Any] = {"features": ["signals"], "allow": [ALLOWED], "bootId": host.boot_id(), **BOOT}


@pytest.fixture
def sleep() -> Iterator[subprocess.Popen[bytes]]:
    """A real process, in a session of its own, whose end is taken note of at once."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    threading.Thread(target=process.wait, daemon=True).start()
    yield process
    process.kill()


@pytest.fixture
def agent(new_agent: Callable[..., Agent], sleep: subprocess.Popen[bytes]) -> Agent:
    """The agent of a server on which the sleep is the busiest process."""
    while (seen := oneprocess.look(sleep.pid)) is None or seen.name != "sleep":
        time.sleep(0.01)
    made = another(new_agent, procs(5))
    mine = proc(sleep.pid, cpu=90.0, name="sleep", cmdline="sleep 600", startTicks=seen.start_ticks)
    made.report(procs=[mine, *procs(5)], **CAN)
    return made


def obey(agent: Agent) -> dict[str, Any]:
    """The agent does its next command, by its own code; returns the evidence."""
    given = take(agent)
    command = parse(given, time.time())
    action = ProcessActions(Allow(ALLOWED), (), 0.5).check(command)
    begin(agent, given)
    acted = action.act(60)
    told = action.settled(threading.Event(), time.time())
    finish(agent, given, before=action.before, exitCode=acted.exit_code, **told)
    return told


def opened(page_as: PageAs, agent: Agent, role: str = "operator", **look: Any) -> Page:
    page = page_as(role, **look)
    page.goto(f"/servers/{agent.id}/")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    return page


def test_term_ends_a_real_process(page_as: PageAs, agent: Agent, sleep: subprocess.Popen[bytes]) -> None:
    page = opened(page_as, agent)
    link = page.get_by_role("link", name=f"Signal PID {sleep.pid}")
    expect(page.locator("#procs a.btn")).to_have_count(1)
    link.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#why")).to_be_focused()
    page.keyboard.press("Escape")
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#confirm")).to_contain_text(f"Signal sleep, PID {sleep.pid}, on {agent.id}?")
    expect(page.locator("#typed")).to_be_hidden()
    expect(page.locator("#nice")).to_be_hidden()
    page.keyboard.type("It hangs")
    page.keyboard.press("Enter")
    expect(page.locator("#asked")).to_contain_text(f"Send TERM to sleep[{sleep.pid}] is queued.")
    page.click("#asked a")
    assert obey(agent)["after"]["status"] == "gone"
    expect(page.locator("article .pill")).to_have_text("Succeeded, verified")
    expect(page.locator("article")).to_contain_text("TERM ended it.")
    expect(page.locator("article tr", has_text="State")).to_contain_text("gone")


def test_what_is_still_there_is_killed_from_the_commands_page(
    page_as: PageAs, agent: Agent, sleep: subprocess.Popen[bytes]
) -> None:
    page = opened(page_as, agent)
    page.click("#procs a.btn")
    page.fill("#why", "It hangs")
    page.keyboard.press("Enter")
    page.click("#asked a")
    given = take(agent)
    begin(agent, given)
    finish(agent, given, before={"status": "sleeping"}, after={"status": "sleeping", "settledSec": 5.0})
    expect(page.locator("article")).to_contain_text("It is still there 5 s after TERM.")
    page.click("#do-again")
    expect(page.locator("#typed")).to_be_visible()
    page.fill("#why", "It does not listen")
    page.keyboard.press("Enter")
    expect(page.locator("#typed-e")).to_have_text(f"Type sleep or {agent.id}.")
    expect(page.locator("#typed")).to_be_focused()
    page.fill("#typed", "sleep")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(f"Send KILL to sleep[{sleep.pid}]")
    obey(agent)
    expect(page.locator("article .pill")).to_have_text("Succeeded, verified")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dialog_asks_only_for_what_is_needed_and_fits(page_as: PageAs, agent: Agent, scheme: str) -> None:
    page = opened(page_as, agent, scheme=scheme)
    said = watch_console(page)
    page.click("#procs a.btn")
    send = page.locator("#confirm [value=run]")
    expect(send).to_have_text("Send TERM")
    page.get_by_text("KILL", exact=True).click()
    expect(page.locator("#typed")).to_be_visible()
    expect(page.locator("#do-h")).to_contain_text("KILL ends the process at once")
    accessible(page)
    page.get_by_text("Renice", exact=True).click()
    expect(page.locator("#nice")).to_be_visible()
    expect(page.locator("#typed")).to_be_hidden()
    expect(send).to_have_text("Renice")
    page.keyboard.press("Enter")
    expect(page.locator("#nice-e")).to_have_text("Use a whole number from −20 to 19.")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    page.keyboard.press("Escape")
    fits(page, 390)
    assert said == []


def test_signals_without_scripts(page_as: PageAs, agent: Agent, sleep: subprocess.Popen[bytes]) -> None:
    page = page_as("operator", java_script_enabled=False)
    page.goto(f"/servers/{agent.id}/")
    page.click("#procs a.btn")
    page.locator("[name=do][value=renice]").check(force=True)
    page.fill("#nice", "19")
    page.fill("#why", "It is in the way")
    page.click("[value=run]")
    expect(page.locator("h1")).to_have_text(f"Renice sleep[{sleep.pid}] to 19")
    obey(agent)
    page.reload()
    expect(page.locator("article")).to_contain_text("Its nice value is 19.")
    expect(page.locator("article tr", has_text="Nice").locator("td").last).to_have_text("19")


def test_viewers_see_no_way_to_signal(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent, "viewer")
    expect(page.locator("#procs tr")).to_have_count(6)
    expect(page.locator("#procs a.btn")).to_have_count(0)


def test_a_name_leads_to_the_processs_page_and_opens_no_dialog(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    page.locator("#procs th a").first.click()
    expect(page).to_have_url(re.compile(rf"/servers/{agent.id}/processes/\d+-\d+/$"))
    expect(page.locator("h1")).to_have_count(1)
