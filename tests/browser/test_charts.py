"""The timeline's charts in a real browser: pointing at them, zooming, panning, and taking them away."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PageAs
from tests.browser.hub import Hub
from tests.browser.looks import WIDTHS, accessible, fits, watch_console

SAMPLES, EVERY = 90, 20  # seconds apart
FILL = f"""
import django; django.setup()
from datetime import datetime, timedelta, UTC
from tests.cast import enrolled
from tests.servers.travelling import family, tell
server = enrolled("charted")[0]
first = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=50)
for number in range({SAMPLES}):
    tell(server, first + timedelta(seconds={EVERY} * number), family(float(number)), cpu=number)
print(first.isoformat())
"""
PAGE = "/servers/charted/"


@pytest.fixture(scope="package")
def first(hub: Hub) -> datetime:
    """When the first of the server's samples was taken; each has as much CPU as it has a number."""
    return datetime.fromisoformat(hub.python("-c", FILL))


def written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stretch(first: datetime) -> str:
    """The first half of the samples: 15 minutes, of which each sample is 20 s."""
    return f"from={written(first)}&to={written(first + timedelta(minutes=15))}"


def opened(page_as: PageAs, address: str, **look: Any) -> Page:
    page = page_as("operator", **look)
    page.goto(PAGE + address)
    expect(page.locator("#scrub")).to_be_enabled()
    expect(page.locator("#png-file")).not_to_have_attribute("hidden", "")
    return page


def place(page: Page, share: float, lane: str = "lane-mem") -> tuple[float, float]:
    """Where that share of the time axis is on the screen, in a lane."""
    box = page.locator(f"#{lane} .plot").bounding_box()
    assert box
    return box["x"] + share * box["width"], box["y"] + box["height"] / 2


def drag(page: Page, start: float, end: float) -> None:
    page.mouse.move(*place(page, start))
    page.mouse.down()
    for step in range(1, 6):
        page.mouse.move(*place(page, start + (end - start) * step / 5))


def let_go(page: Page) -> None:
    """End a drag, and wait until it has led somewhere."""
    before = page.url
    page.mouse.up()
    expect(page).not_to_have_url(before)


def asked(page: Page) -> dict[str, datetime]:
    """The stretch in the address."""
    return {name: datetime.fromisoformat(unquote(at)) for name, at in re.findall(r"[?&](from|to)=([^&]+)", page.url)}


def drawn(page: Page) -> dict[str, datetime]:
    """The same, as soon as the lanes are of it."""
    found = asked(page)
    stretch = f"from={written(found['from'])}&to={written(found['to'])}"
    expect(page.locator("#lanes")).to_have_attribute("data-window", stretch)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_is_accessible_and_fits(page_as: PageAs, first: datetime, scheme: str) -> None:
    page = page_as("operator", scheme=scheme)
    said = watch_console(page)
    for address in ("?range=2y", f"?{stretch(first)}", f"?{stretch(first)}&at={written(first)}"):
        page.goto(PAGE + address)
        page.click("#span summary")
        accessible(page)
        for width in WIDTHS:
            fits(page, width)
    assert said == []


def test_pointing_tells_every_lanes_value_at_that_moment(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, f"?{stretch(first)}", timezone_id="UTC")
    asks: list[str] = []
    page.on("request", lambda request: asks.append(request.url))
    for number in (5, 31):
        page.mouse.move(*place(page, (number + 0.25) / 45))
        shown = [word.strip() for word in page.locator("#cross text").all_text_contents()]
        at = datetime.strptime(f"{shown[0]} +0000", "%H:%M:%S %z")
        passed = (at - datetime.combine(at, first.astimezone(UTC).timetz())).seconds
        assert abs(passed - 20 * (number + 0.25)) <= 2
        assert shown[1:] == [f"{number}.0%", "25.0%", f"{number / 10:.2f} · 15 min 1.50", "3"]
    page.mouse.move(5, 5)
    expect(page.locator("#cross")).to_have_count(0)
    assert asks == []


def test_where_nothing_was_reported_pointing_tells_no_value(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, f"?from={written(first - timedelta(hours=1))}&to={written(first + timedelta(minutes=15))}")
    page.mouse.move(*place(page, 0.2))
    expect(page.locator("#cross text")).to_have_count(1)


def test_dragging_zooms_and_back_leads_back(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, f"?{stretch(first)}&ps=mem")
    drag(page, 0.4, 0.6)
    expect(page.locator("#pick")).to_have_count(1)
    page.mouse.up()
    expect(page.locator("#scrub")).not_to_have_attribute("min", str(int(first.timestamp())))
    expect(page).to_have_url(re.compile(r"\?from=[^&]+Z&to=[^&]+Z&ps=mem$"))
    found = asked(page)
    assert abs(found["from"] - first - timedelta(minutes=6)) <= timedelta(seconds=3)
    assert abs(found["to"] - first - timedelta(minutes=9)) <= timedelta(seconds=3)
    expect(page.locator("#flag")).to_have_attribute("visibility", "hidden")
    expect(page.locator("#asof")).to_have_count(0)
    page.go_back()
    expect(page).to_have_url(re.compile(stretch(first)))


def test_a_click_still_travels_and_escape_gives_a_drag_up(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, f"?{stretch(first)}")
    drag(page, 0.4, 0.6)
    page.keyboard.press("Escape")
    expect(page.locator("#pick")).to_have_count(0)
    page.mouse.up()
    assert page.url.endswith(stretch(first))
    page.mouse.click(*place(page, (31 + 0.5) / 45, "lane-cpu"))
    expect(page.locator("#c-41-950")).to_have_text("31.0")
    expect(page).to_have_url(re.compile(f"{stretch(first)}&at="))


def test_a_page_of_the_past_zooms_without_leaving(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, f"?{stretch(first)}&at={written(first + timedelta(seconds=20 * 20))}")
    page.evaluate("document.body.marked = true")
    drag(page, 0.3, 0.7)
    let_go(page)
    zoomed = drawn(page)
    assert abs(zoomed["from"] - first - timedelta(seconds=270)) <= timedelta(seconds=3)
    expect(page.locator("#c-41-950")).to_have_text("20.0")
    expect(page.locator("#flag")).not_to_have_attribute("visibility", "hidden")
    page.click("[data-way=out]")
    expect(page.locator("#scrub")).not_to_have_attribute("min", str(int(zoomed["from"].timestamp())))
    assert drawn(page)["to"] - asked(page)["from"] == 2 * (zoomed["to"] - zoomed["from"])
    page.focus("#scrub")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#c-41-950")).to_have_text("21.0")
    page.go_back()
    page.go_back()
    expect(page.locator("#scrub")).to_have_attribute("min", str(int(zoomed["from"].timestamp())))
    assert drawn(page) == zoomed
    assert page.evaluate("document.body.marked") is True


def test_a_moment_off_the_stretch_takes_it_along(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, f"?{stretch(first)}&at={written(first + timedelta(minutes=14))}")
    page.focus("#scrub")
    page.keyboard.press("PageDown")
    expect(page.locator("#c-41-950")).to_have_text("12.0")
    page.keyboard.press("PageDown")
    expect(page.locator("#scrub")).not_to_have_attribute("min", str(int(first.timestamp())))
    found = drawn(page)
    assert found["to"] - found["from"] == timedelta(minutes=15)
    expect(page.locator("#scrub")).to_be_focused()


def test_the_keyboard_zooms_and_pans(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, f"?{stretch(first)}", timezone_id="Asia/Kathmandu")
    page.focus("[data-way=in]")
    page.keyboard.press("Enter")
    expect(page.locator("#scrub")).to_have_attribute("min", str(int(first.timestamp()) + 225))
    page.focus("[data-way=earlier]")
    page.keyboard.press("Enter")
    expect(page.locator("#scrub")).to_have_attribute("min", str(int(first.timestamp())))
    page.focus("#span summary")
    page.keyboard.press("Enter")
    local = first + timedelta(hours=5, minutes=50)  # five minutes later, in Nepal
    page.fill("#span-from", local.strftime("%Y-%m-%dT%H:%M:%S"))
    page.fill("#span-to", (local + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%S"))
    page.focus("#span form button")
    page.keyboard.press("Enter")
    expect(page.locator("#scrub")).to_have_attribute("min", str(int(first.timestamp()) + 300))
    assert asked(page) == {"from": first + timedelta(minutes=5), "to": first + timedelta(minutes=15)}


def test_works_without_scripts(page_as: PageAs, first: datetime) -> None:
    page = page_as("operator", java_script_enabled=False)
    page.goto(PAGE)
    page.click("#span summary")
    page.fill("#span-from", written(first).rstrip("Z"))
    page.fill("#span-to", written(first + timedelta(minutes=15)).rstrip("Z"))
    page.click("#span form button")
    expect(page.locator("#scrub")).to_have_attribute("min", str(int(first.timestamp())))
    page.click("[data-way=later]")
    expect(page.locator("#scrub")).to_have_attribute("min", str(int(first.timestamp()) + 450))
    page.click("#span summary")
    with page.expect_download() as found:
        page.click("text=CSV")
    assert found.value.suggested_filename.startswith("charted_")


def test_the_picture_is_taken_away_as_svg_and_png(page_as: PageAs, first: datetime, tmp_path: Path) -> None:
    page = opened(page_as, f"?{stretch(first)}")
    said = watch_console(page)
    page.click("#span summary")
    for button, begins in (("#svg-file", b"<svg "), ("#png-file", b"\x89PNG\r\n")):
        with page.expect_download() as found:
            page.click(button)
        found.value.save_as(tmp_path / "file")
        assert (tmp_path / "file").read_bytes().startswith(begins)
    wide, high = (int.from_bytes((tmp_path / "file").read_bytes()[at : at + 4]) for at in (16, 20))
    assert (wide, high) == (2400, 2 * 612)
    assert said == []


def test_on_a_phone_values_stay_on_the_screen(page_as: PageAs, first: datetime) -> None:
    page = opened(page_as, f"?{stretch(first)}", width=390)
    page.locator("#lane-mem").scroll_into_view_if_needed()
    drag(page, 0.2, 0.8)
    widths = page.eval_on_selector_all("#cross text", "all => all.map(text => text.getBoundingClientRect())")
    assert all(0 <= box["left"] <= box["right"] <= 390 for box in widths)
    let_go(page)
    assert abs(asked(page)["to"] - asked(page)["from"] - timedelta(minutes=9)) <= timedelta(seconds=10)
