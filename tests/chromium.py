"""The Chromium that tests drive: its headless build where there is one, the same engine for a third of the CPU."""

from __future__ import annotations

import shutil

from playwright.sync_api import Browser, Page, Playwright, expect

from tests.patience import PATIENCE

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
MARK_LOADED = "addEventListener('load', () => document.documentElement.dataset.loaded = '')"
expect.set_options(timeout=5_000 * PATIENCE)


def launched(playwright: Playwright) -> Browser:
    """A running browser; AssertionError where none is installed."""
    path = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert path, f"The browser tests need {PROGRAMS[0]}: apt-get install {PROGRAMS[0]}"
    return playwright.chromium.launch(executable_path=path, args=list(QUIET))


def wait_for_scripts(page: Page) -> None:
    """From now on, have all that is done on the page or expected of it wait until its scripts have run.

    What is pressed before that goes the way without scripts: no dialog opens, and the focus is lost. A person is not
    that quick. Playwright waits by itself where a test goes to an address, but not where a press leads to a page.
    """
    page.add_init_script(MARK_LOADED)
    page.add_locator_handler(page.locator("html:not([data-loaded])"), lambda: None)
