"""The Chromium that tests drive: its headless build where there is one, the same engine for a third of the CPU."""

from __future__ import annotations

import shutil

from playwright.sync_api import Browser, Playwright, expect

from tests.patience import PATIENCE

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
expect.set_options(timeout=5_000 * PATIENCE)


def launched(playwright: Playwright) -> Browser:
    """A running browser; AssertionError where none is installed."""
    path = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert path, f"The browser tests need {PROGRAMS[0]}: apt-get install {PROGRAMS[0]}"
    return playwright.chromium.launch(executable_path=path, args=list(QUIET))
