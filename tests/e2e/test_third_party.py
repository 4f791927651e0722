"""An agent written by somebody else from PROTOCOL.md alone is a first-class server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.e2e.conftest import sign_in
from tests.e2e.hub import Hub


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with Hub(tmp_path_factory.mktemp("theirs") / "data", "--no-agent") as running:
        yield running


@pytest.fixture
def stranger(hub: Hub, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    script, key = Path(__file__).with_name("third_party.py"), hub.enrolment_key
    arguments = [sys.executable, str(script), hub.url, key, "srv-theirs", str(tmp_path / "pid")]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()


def test_it_appears_and_executes_a_command(hub: Hub, chromium_page: Page, stranger: subprocess.Popen[str]) -> None:
    page = chromium_page
    assert stranger.stdout is not None
    assert stranger.stdout.readline() == "reporting\n"
    sign_in(page, hub.url)
    page.click("#servers a:has-text('srv-theirs')")
    expect(page.locator("#procs tr")).to_have_count(1)
    token = hub.api_token
    asked = requests.post(
        f"{hub.url}/api/actions/srv-theirs",
        json={"cmd": "restart", "target": "sleepy", "reason": "to see whether it can"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=10,
    )
    assert asked.status_code == 201, asked.text
    recent = page.locator("li[id^=cmd-]").first
    expect(recent).to_have_attribute("data-state", "succeeded", timeout=120_000)
    out, errors = stranger.communicate(timeout=120)
    assert out == "succeeded\n", errors
