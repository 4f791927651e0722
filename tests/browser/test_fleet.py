"""The dashboard in a real browser: how it looks, scrolls, moves and is used from the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PageAs
from tests.browser.hub import Agent, Hub
from tests.browser.looks import WIDTHS, accessible, fits, open_live, watch_console
from tests.hosts.waiting import eventually

NewAgent = Callable[..., Agent]


def row_of(page: Page, name: str) -> Any:
    """The row of a server."""
    return page.locator("#servers tr", has=page.locator(f'a[title="{name}"]'))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_is_accessible_and_fits(page_as: PageAs, scheme: str) -> None:
    page = page_as("admin", scheme=scheme)
    said = watch_console(page)
    page.goto("/")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    accessible(page)
    for width in WIDTHS:
        fits(page, width)
    page.set_viewport_size({"width": 390, "height": 900})
    accessible(page)
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dialogs_are_accessible_and_give_focus_back(page_as: PageAs, scheme: str) -> None:
    page = page_as("viewer", scheme=scheme)
    page.goto("/")
    opener = page.locator(".palette-open")
    opener.focus()
    page.keyboard.press("Control+k")
    page.keyboard.type("web")
    expect(page.locator("#palette-list [aria-selected=true]")).to_be_visible()
    accessible(page)
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    accessible(page)


def test_more_rows_come_as_one_scrolls(page_as: PageAs) -> None:
    page = page_as("operator")
    page.goto("/")
    assert page.locator("#servers tr").count() == 40
    page.locator("#more").scroll_into_view_if_needed()
    expect(page.locator("#servers tr").nth(59)).to_be_attached()

    def scrolled_to_the_end() -> bool:  # other tests add servers, so there may be a third screen
        page.mouse.wheel(0, 20_000)
        return page.locator("#more a").count() == 0

    eventually(scrolled_to_the_end, bool)
    ids = page.eval_on_selector_all("#servers tr", "rows => rows.map(row => row.id)")
    assert len(set(ids)) == len(ids)


def test_a_report_changes_the_row_in_place(page_as: PageAs, new_agent: NewAgent) -> None:
    agent = new_agent("web-live-1", cpu=10)
    page = page_as("viewer")
    open_live(page, "/?q=web-live-1", "row:")
    row = row_of(page, "web-live-1")
    row.locator("th a").focus()
    page.evaluate("window.same = document.querySelector('#servers tr')")
    agent.report(cpu=87)
    expect(row.locator("td").nth(2)).to_contain_text("87%")
    expect(row.locator(".metric").first).to_have_attribute("data-level", "high")
    assert row.locator("td.changed").count() == 1
    assert page.evaluate("window.same === document.querySelector('#servers tr')")
    expect(row.locator("th a")).to_be_focused()
    agent.report(cpu=87, memory=8000)
    expect(row.locator("td").nth(3)).to_contain_text("98%")


def test_the_longest_values_move_nothing_else(page_as: PageAs, new_agent: NewAgent) -> None:
    agent = new_agent("web-swap-1", cpu=1)
    new_agent("web-swap-2", cpu=1)
    page = page_as("viewer")
    open_live(page, "/?q=web-swap", "row:")
    boxes = """() => [...document.querySelectorAll('#servers td, #servers th, thead th, .summary li')]
        .map(e => { const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height].join() })"""
    before = page.evaluate(boxes)
    agent.report(cpu=100, memory=8192, uptimeSec=86_400 * 1041, procs=[
        {"name": "a-process-with-a-very-long-name-indeed", "pid": 1, "cpu": 12_840.5, "memMB": 1, "status": "running"},
    ])  # fmt: skip
    expect(row_of(page, "web-swap-1")).to_contain_text("100%")
    expect(row_of(page, "web-swap-1")).to_contain_text("1,041 d")
    assert page.evaluate(boxes) == before


def test_the_order_is_the_readers(page_as: PageAs, new_agent: NewAgent) -> None:
    low, _high = new_agent("web-sort-low", cpu=5), new_agent("web-sort-high", cpu=60)
    page = page_as("viewer")
    open_live(page, "/?q=web-sort&sort=cpu", "row:")
    names = page.locator("#servers th a")
    expect(names).to_have_text(["web-sort-high", "web-sort-low"])
    expect(page.locator("#reorder")).to_be_hidden()
    low.report(cpu=99)
    expect(page.locator("#reorder")).to_be_visible()
    expect(names).to_have_text(["web-sort-high", "web-sort-low"])
    page.keyboard.press("r")
    expect(names).to_have_text(["web-sort-low", "web-sort-high"])


def test_a_new_server_announces_itself_and_is_counted(page_as: PageAs, new_agent: NewAgent) -> None:
    page = page_as("admin")
    open_live(page, "/", "fleet:")
    before = int(page.locator("#totals").get_attribute("data-servers") or 0)
    new_agent("web-new-1")
    expect(page.locator("#totals")).to_have_attribute("data-servers", str(before + 1))
    expect(page.locator("#newer")).to_be_visible()
    page.click("#newer")
    expect(page.locator("#newer")).to_be_hidden()


def test_somebody_with_a_scope_counts_their_own_servers(page_as: PageAs, hub: Hub, new_agent: NewAgent) -> None:
    page = page_as("viewer")
    open_live(page, "/", "fleet:")
    mine = "select count(*) from servers_server s join servers_servergroup g on g.id = s.group_id where g.name = 'Web'"
    assert page.locator("#totals").get_attribute("data-servers") == str(hub.sql(mine)[0][0])
    new_agent("mail-new-1", group="Mail")
    new_agent("web-new-2")
    expect(page.locator("#totals")).to_have_attribute("data-servers", str(hub.sql(mine)[0][0]))


def test_rows_out_of_sight_are_not_sent(page_as: PageAs, hub: Hub) -> None:
    page = page_as("operator")
    said: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: said.append(str(frame))))
    page.goto("/")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    page.wait_for_timeout(600)
    watched = {topic for frame in said for topic in frame.split('"') if topic.startswith("row:")}
    assert 10 < len(watched) < 40
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(600)
    assert any('"leave":["row:' in frame for frame in said)


def test_keys_go_through_the_list_and_pages(page_as: PageAs) -> None:
    page = page_as("viewer")
    page.goto("/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = page.locator("#servers th a").nth(1)
    expect(second).to_be_focused()
    page.keyboard.press("k")
    expect(page.locator("#servers th a").first).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("main [name=q]")).to_be_focused()
    page.keyboard.type("jk?")  # letters in a field are letters
    assert page.input_value("main [name=q]") == "jk?"
    expect(page.locator("#keys")).to_be_hidden()
    page.locator("h1").click()
    page.keyboard.press("g")
    page.keyboard.press("u")
    page.wait_for_url("**/audit/")


def test_the_palette_goes_to_a_server(page_as: PageAs) -> None:
    page = page_as("viewer")
    page.goto("/")
    name = page.locator("#servers th a").first.get_attribute("title") or ""
    address = page.locator("#servers th a").first.get_attribute("href") or ""
    page.keyboard.press("Control+k")
    page.keyboard.type(name)
    expect(page.locator("#palette-list [aria-selected=true] .clip")).to_have_text(name)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{address}")


def test_filters_name_what_nothing_matches(page_as: PageAs) -> None:
    page = page_as("viewer")
    page.goto("/")
    page.fill("main [name=q]", "env=prodd")
    page.keyboard.press("Enter")
    expect(page.locator(".empty")).to_contain_text("No server matches env=prodd.")
    page.click("text=Clear the filter")
    expect(page.locator("#servers tr").first).to_be_visible()
    page.select_option("main [name=group]", "Web")
    page.wait_for_url("**group=Web**")
