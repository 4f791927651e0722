"""The server page in a real browser: what is live, and what stays as the reader left it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.acting import BOOT, CLOSED, NGINX, another, proc, procs, services
from tests.browser.conftest import PageAs
from tests.browser.hub import Agent, Hub
from tests.browser.looks import WIDTHS, accessible, fits, watch_console

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "\u202exe.gpj",
    "مرحبا بالعالم",
    "🐘 elephant",
    "two\nlines\tand \x1b[31mred",
    '"><script>alert(1)</script>',
]
MARK_ROWS = """
document.querySelectorAll('#procs tr').forEach(row => { row.marked = true; });
document.querySelectorAll('#procs .changed').forEach(cell => cell.classList.remove('changed'));
"""
UNMARKED = "[...document.querySelectorAll('#procs tr')].filter(row => !row.marked).map(row => row.id)"
NAMES = "[...document.querySelectorAll('#procs tr:not([hidden]) th bdi.clip')].map(cell => cell.textContent)"


@pytest.fixture
def agent(new_agent: Callable[..., Agent]) -> Agent:
    """A server of its own for each test: 500 processes and three services."""
    return another(new_agent, procs())


def opened(page_as: PageAs, agent: Agent, role: str = "viewer", **look: Any) -> Page:
    """The server's page, connected and away from the pointer."""
    page = page_as(role, **look)
    page.goto(f"/servers/{agent.id}/")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    page.wait_for_function(
        "performance.getEntriesByType('resource').some(entry => entry.name.endsWith('process-table.js'))"
    )
    page.mouse.move(2, 2)
    return page


def update(agent: Agent, listed: list[dict[str, Any]]) -> None:
    agent.report(procs=listed, procsTotal=1873, **BOOT)


def shown_live(page: Page, agent: Agent) -> list[dict[str, Any]]:
    """Wait until an update arrives, so that the next one is told as changes; returns what the agent listed."""
    listed = procs()
    listed[-1]["memMB"] = 11
    update(agent, listed)
    expect(page.locator("#m-1499-14990")).to_have_text("11")
    return listed


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_is_accessible_and_fits(page_as: PageAs, agent: Agent, scheme: str) -> None:
    update(agent, [proc(20 + place, name=name, cmdline=name * 30) for place, name in enumerate(HOSTILE)] + procs(30))
    page = page_as("operator", scheme=scheme)
    said = watch_console(page)
    page.goto(f"/servers/{agent.id}/")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    accessible(page)
    for width in (*WIDTHS, 1280):  # beside all buttons the services' names have the least room at the last
        fits(page, width)
        assert page.evaluate("document.querySelector('#services th').offsetWidth") >= 90
    assert said == []


def test_hostile_names_are_shown_and_do_nothing(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    said = watch_console(page)
    update(agent, [proc(20 + place, 99 - place, name=name, cmdline=name) for place, name in enumerate(HOSTILE)])
    expect(page.locator("#proc-20-200 bdi.clip")).to_have_text(HOSTILE[0])
    assert page.evaluate(NAMES) == [
        "<img src=x onerror=alert(1)>",
        "\\u202exe.gpj",
        "مرحبا بالعالم",
        "🐘 elephant",
        "two␊lines␉and ␛[31mred",
        '"><script>alert(1)</script>',
    ]
    assert page.locator("#procs img, #procs script").count() == 0
    assert said == []


def test_an_update_changes_only_the_cells_that_moved(page_as: PageAs, agent: Agent) -> None:
    page = page_as("viewer")
    frames: list[str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(str(frame))))
    page.goto(f"/servers/{agent.id}/")
    listed = shown_live(page, agent)
    page.evaluate(MARK_ROWS)
    for moved in listed[:80]:
        moved["cpu"] += 0.3
    frames.clear()
    update(agent, listed)
    expect(page.locator("#c-1000-10000")).to_have_text("50.3")
    assert page.evaluate(UNMARKED) == []
    assert page.locator("#procs .changed").count() == 80
    assert page.locator("#c-1100-11000").text_content() == "40.0"
    assert page.locator("#proc-1000-10000 .bar rect").first.get_attribute("width") == "50.3%"
    assert 2_000 < sum(len(frame.encode()) for frame in frames) < 5_000


def test_processes_come_and_go(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    listed = shown_live(page, agent)
    page.evaluate(MARK_ROWS)
    update(agent, [proc(7, 99.0, name="just-started"), *listed[1:]])
    expect(page.locator("#procs tr").first).to_contain_text("just-started")
    expect(page.locator("#proc-1000-10000")).to_have_count(0)
    assert page.evaluate(UNMARKED) == ["proc-7-70"]


def test_a_number_used_again_is_another_row(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    update(agent, [proc(1000, 77.0, startTicks=99, name="another"), *procs()[1:]])
    expect(page.locator("#proc-1000-99")).to_contain_text("another")
    expect(page.locator("#proc-1000-10000")).to_have_count(0)


def test_the_table_sorts_itself_again_unless_one_is_at_it(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    listed = procs()
    listed[300]["cpu"] = 90.0
    update(agent, listed)
    expect(page.locator("#procs tr").first).to_have_id("proc-1300-13000")
    page.hover("#processes .table-wrap")
    listed[301]["cpu"] = 95.0
    update(agent, listed)
    expect(page.locator("#c-1301-13010")).to_have_text("95.0")
    expect(page.locator("#procs tr").first).to_have_id("proc-1300-13000")
    page.mouse.move(2, 2)
    expect(page.locator("#procs tr").first).to_have_id("proc-1301-13010")


def test_order_filter_selection_and_scroll_survive(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    page.click("th[data-sort=pid] a")
    page.fill("#proc-filter", "app worker-12")
    expect(page.locator("#procs tr:not([hidden])")).to_have_count(100)
    page.evaluate("document.querySelector('#processes .table-wrap').scrollTop = 500")
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#proc-1250-12500 bdi.clip'))")
    page.mouse.move(2, 2)
    before = page.evaluate(NAMES)
    listed = procs()
    for place in range(0, 500, 5):
        listed[place]["cpu"] += 7
    update(agent, [*listed, proc(9999, 99.0)][1:])
    expect(page.locator("#c-1250-12500")).to_have_text("32.0")
    expect(page.locator("#proc-9999-99990")).to_be_hidden()
    assert page.evaluate(NAMES) == before
    assert page.evaluate("document.querySelector('#processes .table-wrap').scrollTop") == 500
    assert page.evaluate("String(getSelection())") == "worker-1250"
    assert page.input_value("#proc-filter") == "app worker-12"
    expect(page.locator("th[data-sort=pid]")).to_have_attribute("aria-sort", "ascending")


@pytest.mark.parametrize(
    ("column", "first"),
    [("name", "alpha"), ("pid", "zulu"), ("mem", "mike"), ("threads", "mike"), ("user", "alpha"), ("start", "alpha")],
)
def test_sorts_by_any_column_and_turns_around(page_as: PageAs, agent: Agent, column: str, first: str) -> None:
    update(
        agent,
        [
            proc(5, 1.0, name="mike", memMB=4096, threads=12, user="m", startTicks=500),
            proc(9, 2.0, name="alpha", user="a", startTicks=90_000),
            proc(2, 3.0, name="zulu", user="z", startTicks=50_000),
        ],
    )
    page = opened(page_as, agent)
    page.click(f"th[data-sort={column}] a")
    assert page.evaluate(NAMES)[0] == first
    page.click(f"th[data-sort={column}] a")
    assert page.evaluate(NAMES)[-1] == first


def test_nothing_matches_and_the_way_back(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    page.fill("#proc-filter", "no such thing")
    expect(page.locator("#procs-none")).to_contain_text("No process matches no such thing.")
    page.click("#procs-none a")
    expect(page.locator("#procs tr:not([hidden])")).to_have_count(500)
    expect(page.locator("#proc-filter")).to_be_focused()


def test_the_tree_puts_children_under_their_parents(page_as: PageAs, agent: Agent) -> None:
    family = [
        proc(1, 0.0, name="init", ppid=0),
        proc(10, 1.0, name="shell", ppid=1),
        proc(11, 9.0, name="burner", ppid=10),
        proc(12, 5.0, name="daemon", ppid=1),
        proc(30, 2.0, name="circle-a", ppid=31),
        proc(31, 1.0, name="circle-b", ppid=30),
    ]
    update(agent, family)
    page = opened(page_as, agent)
    page.click("[data-layout=tree]")
    assert page.evaluate(NAMES) == ["init", "daemon", "shell", "burner", "circle-a", "circle-b"]
    assert page.get_attribute("#proc-11-110", "data-pm-depth") == "2"
    page.mouse.move(2, 2)
    update(agent, [*family, proc(13, 7.0, name="newborn", ppid=12)])
    expect(page.locator("#proc-13-130")).to_have_attribute("data-pm-depth", "2")
    assert page.evaluate(NAMES) == ["init", "daemon", "newborn", "shell", "burner", "circle-a", "circle-b"]
    page.click("[data-layout=list]")
    assert page.evaluate(NAMES)[0] == "burner"
    assert page.get_attribute("#proc-11-110", "data-pm-depth") is None


def test_a_page_that_lost_its_line_heals_itself(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent)
    page.fill("#proc-filter", "worker")
    page.context.set_offline(True)
    page.evaluate("new Promise(done => setTimeout(done, 300))")
    update(agent, [proc(7, 99.0, name="came-meanwhile"), *procs()[5:]])
    page.context.set_offline(False)
    page.reload()
    expect(page.locator("#proc-7-70")).to_have_count(1)
    expect(page.locator("#proc-1000-10000")).to_have_count(0)


def test_a_server_that_stops_reporting_turns_silent_and_back(page_as: PageAs, agent: Agent, hub: Hub) -> None:
    page = opened(page_as, agent)
    hub.sql(
        "UPDATE servers_newest SET received_at = received_at - interval '10 minutes' FROM servers_server s"
        " WHERE s.id = server_id AND s.agent_id = %s",
        agent.id,
    )
    expect(page.locator("#srv-status")).to_contain_text("Silent", timeout=120_000)
    expect(page.locator("#proc-notice")).to_contain_text("The server is silent: last values, from")
    expect(page.locator("#now-cpu")).to_contain_text("—")
    assert page.locator("#procs tr").count() == 500
    update(agent, procs())
    expect(page.locator("#srv-status")).to_contain_text("Up")
    expect(page.locator("#proc-notice")).to_be_hidden()


def test_services_are_filtered_by_words_and_by_failure(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent, "operator")
    page.fill("#svc-filter", "web server")
    expect(page.locator("#services tr:not([hidden])")).to_have_count(1)
    expect(page.locator("#services tr:not([hidden])")).to_contain_text(NGINX)
    page.fill("#svc-filter", "")
    page.click("[data-only=failed]")
    expect(page.locator("#services tr:not([hidden])")).to_have_count(1)
    expect(page.locator("[data-only=failed]")).to_have_attribute("aria-current", "true")
    page.click("[data-only='']")
    expect(page.locator("#services tr:not([hidden])")).to_have_count(3)


def test_a_service_that_changes_changes_its_row(page_as: PageAs, agent: Agent) -> None:
    page = opened(page_as, agent, "operator")
    listed = services()
    listed[0] |= {"activeState": "failed", "subState": "exited", "mainPid": 0}
    agent.report(procs=procs(), services=listed, **BOOT)
    row = page.locator("#services tr", has_text=NGINX)
    expect(row).to_have_attribute("data-state", "failed")
    expect(page.locator("#svc-failed")).to_have_text("2")
    expect(row.get_by_role("link", name=f"Start {NGINX}", exact=True)).to_be_visible()


def test_buttons_are_for_operators_and_for_what_the_owner_allows(page_as: PageAs, agent: Agent) -> None:
    operator, viewer = opened(page_as, agent, "operator"), opened(page_as, agent, "viewer")
    assert operator.locator("#services tr", has_text=NGINX).locator("a[data-act]").count() == 3
    closed = operator.locator("#services tr", has_text=CLOSED)
    assert closed.locator("a[data-act]").count() == 0
    stop = closed.get_by_role("button", name=f"Stop {CLOSED}")
    expect(stop).to_be_disabled()
    expect(stop).to_have_accessible_description(f"{agent.id}'s owner does not allow stop of {CLOSED}")
    assert viewer.locator("#services [data-act]").count() == 0


def test_the_timeline_refreshes_itself(page_as: PageAs, agent: Agent) -> None:
    page = page_as("viewer")
    page.goto(f"/servers/{agent.id}/?range=15m")
    with page.expect_response(re.compile("/readings/"), timeout=120_000) as found:
        pass
    assert found.value.ok
    expect(page.locator("#lane-cpu path")).to_have_count(1)


def test_works_without_scripts(page_as: PageAs, agent: Agent) -> None:
    page = page_as("operator", java_script_enabled=False)
    page.goto(f"/servers/{agent.id}/")
    page.click("th[data-sort=pid] a")
    assert page.locator("#procs tr").first.get_attribute("id") == "proc-1000-10000"
    page.click("th[data-sort=pid] a")
    assert page.locator("#procs tr").first.get_attribute("id") == "proc-1499-14990"
    page.click("text=24 h")
    expect(page.locator("[aria-label=Range] [aria-current]")).to_have_text("24 h")
