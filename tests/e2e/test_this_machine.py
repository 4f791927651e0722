"""The README's promise on this machine: its processes, live, within a minute of the first command."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.conftest import sign_in
from tests.e2e.hub import Hub

NAME = "pm-burner"
THREE_REPORTS_MS = 35_000


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub(tmp_path_factory.mktemp("here") / "data") as running:
        yield running


@pytest.fixture
def burner() -> Iterator[subprocess.Popen[bytes]]:
    script = Path(__file__).with_name("burner.py")
    process = subprocess.Popen([sys.executable, str(script), NAME], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()


def test_a_process_appears_burns_and_vanishes_live(
    hub: Hub, chromium_page: Page, burner: subprocess.Popen[bytes]
) -> None:
    page = chromium_page
    sign_in(page, hub.url)
    if page.locator("#arrived").count():  # we were faster than the first report: the page notices it by itself
        page.locator("#arrived a").click(timeout=120_000)
    page.locator("#servers tr th a").first.click(timeout=120_000)
    row = page.locator(f"#procs tr:has-text('{NAME}')")
    expect(row).to_have_count(1, timeout=THREE_REPORTS_MS)
    expect(row).to_have_attribute("id", re.compile(rf"^proc-{burner.pid}-\d+$"))

    cpu = row.locator("[id^=c-]")
    expect(cpu).to_have_text("0.0", timeout=THREE_REPORTS_MS)
    burner.send_signal(signal.SIGUSR1)
    expect(cpu).to_have_text(re.compile(r"^([5-9]|\d\d+)\.\d$"), timeout=THREE_REPORTS_MS)  # a busy machine shares

    burner.kill()
    burner.wait()
    expect(row).to_have_count(0, timeout=THREE_REPORTS_MS)
