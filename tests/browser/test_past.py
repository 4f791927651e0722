"""Travelling in time in a real browser: the scrubber, the keys, the clock field, addresses, and the way back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PageAs
from tests.browser.hub import Hub
from tests.browser.looks import WIDTHS, accessible, fits, watch_console

SAMPLES, EVERY, RESTARTED = 60, 20, 22  # EVERY: seconds apart
FILL = f"""
import django; django.setup()
from datetime import datetime, timedelta, UTC
from tests.cast import enrolled
from tests.servers.reports import service
from tests.servers.samples import proc
from tests.servers.travelling import family, tell
server = enrolled("time-traveller")[0]
first = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=50)
for number in range({SAMPLES}):
    more = [proc(1000 + number, name=f"job-{{number}}", start_ticks=number + 1, ppid=40)]
    started = number // {RESTARTED} * {RESTARTED}  # a service is restarted with each so manieth sample
    began = (first + timedelta(seconds={EVERY} * started)).isoformat()
    services = [service("web.service", mainPid=2000 + started, startTicks=1 + started, since=began)]
    at = first + timedelta(seconds={EVERY} * number)
    tell(server, at, family(float(number)) + more, cpu=number, services=services)
print(first.isoformat())
"""
PAGE = "/servers/time-traveller/"


@pytest.fixture(scope="package")
def first(hub: Hub) -> datetime:
    """When the first of the server's samples was taken; each has as much CPU as it has a number."""
    return datetime.fromisoformat(hub.python("-c", FILL))


def sample(first: datetime, number: int) -> str:
    at = first + timedelta(seconds=EVERY * number)
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def opened(page_as: PageAs, first: datetime, number: int, role: str = "operator", **look: object) -> Page:
    """The page at that sample, and its script at work."""
    page = page_as(role, **look)
    page.goto(f"{PAGE}?at={sample(first, number)}")
    expect(page.locator("#scrub")).to_be_enabled()
    shows(page, number)
    return page


def shows(page: Page, number: int) -> None:
    """Wait until the table is of that sample."""
    expect(page.locator("#c-41-950")).to_have_text(f"{number}.0")
    expect(page.locator(f"#proc-{1000 + number}-{number + 1}")).to_have_count(1)


def number_shown(page: Page) -> int:
    return int(float(page.locator("#c-41-950").inner_text()))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_is_accessible_and_fits(page_as: PageAs, first: datetime, scheme: str) -> None:
    page = page_as("operator", scheme=scheme)
    said = watch_console(page)
    for address in (f"?at={sample(first, 30)}", f"processes/41-950/?at={sample(first, 30)}"):
        page.goto(PAGE + address)
        expect(page.locator("#asof")).to_be_visible()
        accessible(page)
        for width in WIDTHS:
            fits(page, width)
    assert said == []


def test_dragging_the_scrubber_moves_through_time_and_the_address_holds_the_moment(
    page_as: PageAs, first: datetime
) -> None:
    page = opened(page_as, first, 30)
    title = page.evaluate("(document.getElementById('proc-41-950').marked = true, document.title)")
    scrub = page.locator("#scrub").bounding_box()
    flag = page.locator("#flag rect").bounding_box()
    assert scrub
    assert flag
    y = scrub["y"] + 8
    page.mouse.move(flag["x"] + flag["width"] / 2, y)
    page.mouse.down()
    for step in range(1, 11):
        page.mouse.move(flag["x"] + flag["width"] / 2 - 10 * step, y)
    expect(page.locator("#c-41-950")).not_to_have_text("30.0")
    page.mouse.up()
    page.wait_for_function("!document.querySelector('#proc-table[aria-busy]')")
    expect(page).to_have_url(re.compile(r"\?at=\d{4}-\d\d-\d\dT[\d:]+Z$"))
    at = datetime.fromisoformat(page.url.split("at=")[1])
    shows(page, int((at - first).total_seconds() // EVERY))
    assert number_shown(page) < 30
    assert page.evaluate("document.getElementById('proc-41-950').marked") is True
    expect(page).not_to_have_title(title)
    other = page_as("operator")
    other.goto(page.url)
    shows(other, number_shown(page))


def test_arrows_step_one_sample_and_page_keys_ten_minutes(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, first, 35)
    page.focus("#scrub")
    page.keyboard.press("ArrowLeft")
    shows(page, 34)
    page.keyboard.press("ArrowRight")
    shows(page, 35)
    page.keyboard.press("PageDown")
    shows(page, 5)
    expect(page.locator("#scrub")).to_be_focused()
    assert page.get_attribute("#scrub", "aria-valuetext") == page.inner_text("#asof time >> nth=0")
    page.go_back()
    shows(page, 35)


def test_brackets_go_to_what_happened_before_and_after(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, first, 30)
    page.focus("#scrub")
    page.keyboard.press("[")
    shows(page, RESTARTED)
    page.keyboard.press("]")
    shows(page, 2 * RESTARTED)
    page.keyboard.press("]")
    page.wait_for_timeout(200)
    shows(page, 2 * RESTARTED)


def test_two_tabs_are_each_at_their_own_moment(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, first, 20)
    other = page.context.new_page()
    other.goto(f"{PAGE}?at={sample(first, 40)}")
    shows(other, 40)
    page.click("#asof [data-step=next]")
    shows(page, 21)
    shows(other, 40)
    assert page.title() != other.title()


def test_the_back_button_leads_from_the_past_through_its_moments_to_live(page_as: PageAs, first: datetime) -> None:
    page = page_as("operator")
    page.goto(PAGE)
    expect(page.locator("#scrub")).to_be_enabled()
    page.fill("#moment", (first + timedelta(seconds=EVERY * 12)).strftime("%Y-%m-%dT%H:%M:%S"))
    page.click("#moment-form button")
    shows(page, 12)
    for number in (13, 14):
        page.click("#asof [data-step=next]")
        shows(page, number)
    for number in (13, 12):
        page.go_back()
        shows(page, number)
    page.go_back()
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    expect(page.locator("#asof")).to_have_count(0)
    page.go_forward()
    shows(page, 12)


def test_a_click_on_a_chart_goes_there(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, first, 50)
    plot, flag = page.locator("#lane-cpu .plot").bounding_box(), page.locator("#flag rect").bounding_box()
    assert plot
    assert flag
    x = flag["x"] + flag["width"] / 2 - plot["x"] - plot["width"] / 6  # ten minutes of an hour
    page.click("#lane-cpu .plot", position={"x": x, "y": 20})
    expect(page.locator("#c-41-950")).not_to_have_text("50.0")
    assert abs(number_shown(page) - 20) <= 1


def test_filter_order_and_layout_stay_while_time_moves(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, first, 30)
    page.click("th[data-sort=pid] a")
    page.click("[data-layout=tree]")
    page.fill("#proc-filter", "nginx:")
    page.click("#asof [data-step=next]")
    shows(page, 31)
    visible = page.eval_on_selector_all("#procs tr:not([hidden])", "rows => rows.map(row => row.id)")
    assert visible == ["proc-40-900", "proc-41-950"]
    expect(page.locator("#proc-41-950")).to_have_attribute("data-pm-depth", "2")


def test_the_clock_field_goes_to_a_moment_in_the_readers_zone(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, first, 30, timezone_id="Asia/Kathmandu")
    local = first + timedelta(seconds=EVERY * 12, hours=5, minutes=45)
    page.locator("body").press("t")
    expect(page.locator("#moment")).to_be_focused()
    page.fill("#moment", local.strftime("%Y-%m-%dT%H:%M:%S"))
    page.click("#moment-form button")
    shows(page, 12)
    assert page.url.endswith(f"at={sample(first, 12)}")
    expect(page.locator("#asof b")).to_have_text(local.strftime("%H:%M:%S"))


@pytest.mark.parametrize("way", ["l", "Escape", "link"])
def test_back_to_live(page_as: PageAs, first: datetime, way: str) -> None:
    page = opened(page_as, first, 30)
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    if way == "link":
        page.click("text=Back to live")
    else:
        page.locator("body").press(way)
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    expect(page.locator("#asof")).to_have_count(0)
    assert len(sockets) == 1


def test_from_live_into_the_past_by_the_scrubber(page_as: PageAs, first: datetime) -> None:
    page = page_as("operator")
    page.goto(PAGE)
    expect(page.locator("#scrub")).to_be_enabled()
    page.focus("#scrub")
    page.keyboard.press("PageDown")
    expect(page.locator("#asof")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?at="))


def test_compares_with_another_moment(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, first, 10)
    expect(page.locator("#dif-grown-41-950")).to_contain_text("10.0 → 59.0")
    page.fill("#with", (first + timedelta(seconds=EVERY * 20)).strftime("%Y-%m-%dT%H:%M:%S"))
    page.click("#compared button")
    expect(page.locator("#dif-grown-41-950")).to_contain_text("10.0 → 20.0")
    expect(page.locator("#dif-new-1020-21")).to_be_visible()
    expect(page.locator("#dif-gone-1010-11")).to_be_visible()


def test_compares_with_an_hour_before_and_with_now_again(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, first, 10)
    page.evaluate("document.getElementById('proc-41-950').marked = true")
    page.click("#compared .seg a >> nth=0")
    expect(page.locator("#compared .notice")).to_contain_text("No process table was reported at this moment.")
    expect(page).to_have_url(re.compile("with="))
    page.click("#compared a:text('With now')")
    expect(page.locator("#dif-grown-41-950")).to_contain_text("10.0 → 59.0")
    assert page.evaluate("document.getElementById('proc-41-950').marked") is True


def test_a_processs_name_leads_to_its_line_and_its_family(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, first, 30)
    page.click("#proc-41-950 th a")
    expect(page.locator("h1")).to_have_text("nginx")
    expect(page.locator(".lane .plot path")).to_have_count(2)
    page.click("#proc-40-900 th a")
    expect(page.locator("#proc-1030-31")).to_be_visible()


def test_works_without_scripts(page_as: PageAs, first: datetime) -> None:
    page = page_as("operator", java_script_enabled=False)
    page.goto(PAGE)
    page.fill("#moment", sample(first, 30).rstrip("Z"))
    page.click("#moment-form button")
    shows(page, 30)
    page.click("#asof [data-step=previous]")
    shows(page, 29)
    page.click("th[data-sort=pid] a")
    shows(page, 29)
    page.click("text=Back to live")
    expect(page.locator("#asof")).to_have_count(0)


def test_keys_go_on_from_the_live_page(page_as: PageAs, first: datetime) -> None:
    page = page_as("operator")
    page.goto(PAGE)
    expect(page.locator("#scrub")).to_be_enabled()
    page.locator("#scrub").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#asof")).to_be_visible()
    expect(page.locator("#scrub")).to_be_focused()
    at = page.url
    page.keyboard.press("ArrowLeft")
    expect(page).not_to_have_url(at)
    page.keyboard.press("PageUp")  # there is no later than now
    expect(page.locator("#proc-notice")).not_to_contain_text("still to come")
