"""What every page is held to: accessible, nothing overflows, no style in the markup, nothing from elsewhere."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ASKED = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}  # what passed would be megabytes
WIDTHS = (1440, 1024, 390, 320)

CUT = """() => {
  const titled = element => element.closest('[title]') || element.querySelector('[title]')
    || element.closest('tr, li')?.querySelector('[title]');
  const cut = element => element.offsetWidth > 4 && element.scrollWidth > element.clientWidth + 1
    && getComputedStyle(element).overflowX !== 'visible' && !element.closest('.hide, .skip');
  return [...document.querySelectorAll('th, td, .clip, h1, h2, button, a.btn')]
    .filter(element => cut(element) && !titled(element)).map(element => element.outerHTML.slice(0, 160));
}"""


def accessible(page: Page) -> None:
    """Axe finds nothing; from the top, where the page's own bar covers nothing. No markup is shown as text."""
    page.wait_for_load_state()  # a press may have led here, and without its style sheet a page has other colours
    assert '<span class="' not in page.locator("main").inner_text()
    page.evaluate("scrollTo(0, 0)")
    found: Any = Axe().run(page, options=ASKED).response
    said = [(one["id"], [node["html"][:200] for node in one["nodes"]][:3]) for one in found["violations"]]
    assert not said, said


def fits(page: Page, width: int) -> None:
    """Nothing is wider than the window, no text is cut without its whole in a title. Dark pages have light's boxes."""
    if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"):
        return
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    cut = page.evaluate(CUT)
    assert cut == [], cut


def watch_console(page: Page) -> list[str]:
    """A list that fills with the page's errors, the Content-Security-Policy's among them."""
    said: list[str] = []
    page.on("console", lambda it: said.append(f"{it.text} ({it.location['url']})") if it.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def open_live(page: Page, address: str, topic: str) -> None:
    """Open a page and wait until the hub was told that it watches a topic that begins so."""
    said: list[str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: said.append(str(frame))))
    page.goto(address)
    for _ in range(500):
        if any(f'"{topic}' in frame for frame in said):
            break
        page.wait_for_timeout(20)  # lets Playwright hear the socket, which sleeping would not
    else:
        raise AssertionError(f"the page did not watch {topic}; it said {said}")
    page.wait_for_timeout(400)  # the answer may be empty, which Playwright does not tell
