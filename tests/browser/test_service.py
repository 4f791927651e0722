"""The page of one service: its log on demand, followed and filtered, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.acting import NGINX, another, procs
from tests.browser.conftest import PageAs
from tests.browser.hub import Agent
from tests.browser.looks import WIDTHS, accessible, fits, open_live, watch_console


@pytest.fixture
def agent(new_agent: Callable[..., Agent]) -> Agent:
    """A server of its own for each test, whose agent answers questions."""
    found = another(new_agent, procs(5))
    found.report(features=["reads"])
    return found


def address(agent: Agent) -> str:
    return f"/servers/{agent.id}/services/{NGINX}/"


def opened(page_as: PageAs, agent: Agent, role: str = "operator", **look: Any) -> Page:
    page = page_as(role, **look)
    open_live(page, address(agent), "services:")
    return page


def asked(agent: Agent) -> dict[str, Any]:
    """The next question to the agent."""
    url = f"{agent.hub.url}/api/actions/queue/{agent.id}?wait=10"
    answer = requests.get(url, headers={"X-Agent-Token": agent.token}, timeout=15)
    found: dict[str, Any] = answer.json()["reads"][0]
    return found


def answers(agent: Agent, read: dict[str, Any], *lines: str, cursor: str = "c1", **more: Any) -> None:
    logged = [{"t": "2026-11-25T10:00:01Z", "level": 6, "by": "nginx[123]", "text": text} for text in lines]
    body = {"answer": {"lines": logged, "cursor": cursor, "source": "journal", "levels": True, **more}}
    agent.hub.post(f"/api/actions/queue/{agent.id}/reads/{read['id']}", body, agent.token)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_and_fits_with_a_long_log(page_as: PageAs, agent: Agent, scheme: str) -> None:
    page = opened(page_as, agent, scheme=scheme)
    said = watch_console(page)
    accessible(page)
    page.get_by_role("button", name="All lines").click()
    expect(page.locator("#log-lines")).to_contain_text("Asking the server…")
    accessible(page)
    long = [f"line {n} " + "x" * 300 for n in range(60)]
    answers(agent, asked(agent), *long, "<b>\x1b[31m")
    expect(page.locator("#log-lines")).to_contain_text("<b>␛[31m")
    at_end = "log => log.scrollHeight > log.clientHeight && log.scrollTop + log.clientHeight > log.scrollHeight - 5"
    page.wait_for_function(f"({at_end})(document.getElementById('log-lines'))")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    assert said == []


def test_following_appends_what_came_since_and_ends_with_the_tick(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    log = page.locator("#log-lines")
    page.get_by_label("Follow").check()
    first = asked(agent)
    assert first["args"] == {"lines": 200}, "what is not read yet is read first"
    answers(agent, first, "one")
    expect(log).to_contain_text("one")
    second = asked(agent)
    assert second["args"] == {"lines": 200, "follow": True, "after": "c1"}
    expect(log).not_to_contain_text("Asking")
    answers(agent, second, "two", cursor="c2")
    expect(log.locator("[data-cursor] > div")).to_have_count(2)
    third = asked(agent)
    assert third["args"]["after"] == "c2"
    answers(agent, third, cursor="c2")
    page.get_by_label("Follow").uncheck()
    expect(log.locator("[aria-busy]")).to_have_count(0)
    expect(log).to_contain_text("two")


def test_a_level_reads_anew_and_is_kept_while_following(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    page.get_by_role("button", name="All lines").click()
    answers(agent, asked(agent), "chatter")
    expect(page.locator("#log-lines")).to_contain_text("chatter")
    page.get_by_role("button", name="Errors").focus()
    page.keyboard.press("Enter")
    read = asked(agent)
    assert read["args"] == {"lines": 200, "level": 3}
    answers(agent, read)
    expect(page.locator("#log-lines")).to_have_text("Nothing this bad is in the log.")
    expect(page.get_by_role("button", name="Errors")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="Errors")).to_be_focused()
    page.get_by_label("Follow").check()
    assert asked(agent)["args"]["level"] == 3


def test_what_the_agent_cannot_tell_is_said_and_ends_the_following(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    page.get_by_label("Follow").check()
    answers(agent, asked(agent), "one")
    read = asked(agent)
    path = f"/api/actions/queue/{agent.id}/reads/{read['id']}"
    agent.hub.post(path, {"error": "this server's owner does not let the hub read it"}, agent.token)
    expect(page.locator("#log-lines .notice")).to_contain_text("owner does not let the hub read it")
    expect(page.get_by_label("Follow")).not_to_be_checked()


def test_the_state_and_buttons_are_live_and_a_restart_is_asked_here(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    page.get_by_role("link", name=f"Restart {NGINX}").click()
    page.fill("#why", "New certificate")
    page.keyboard.press("Enter")
    expect(page.locator("#asked")).to_contain_text(f"Restart {NGINX} is queued.")
    expect(page.locator("#commands li")).to_have_count(1)
    expect(page.locator("tbody tr .status").first).to_have_text("Queued")


def test_viewers_see_the_page_without_buttons(page_as: PageAs, agent: Agent) -> None:
    ((group,),) = agent.hub.sql("SELECT id FROM servers_servergroup WHERE name = 'Web'")
    agent.hub.sql("UPDATE servers_server SET group_id = %s WHERE agent_id = %s", group, agent.id)
    page = opened(page_as, agent, "viewer")
    expect(page.locator("#log")).to_contain_text("Operators may read this log.")
    expect(page.get_by_label("Follow")).to_have_count(0)
    accessible(page)
