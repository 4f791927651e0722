"""Two web processes, a worker, a real Redis: a browser on one, an agent on the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.e2e.conftest import sign_in
from tests.e2e.production import Production
from tests.hosts.waiting import eventually


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with Production(tmp_path_factory.mktemp("production")) as parts:
        parts.agent("web2", tmp_path_factory.mktemp("agent"))
        yield parts


@pytest.fixture(scope="module")
def signed_in(production: Production, chromium_page: Page) -> Page:
    sign_in(chromium_page, production.url("web1"))
    chromium_page.goto(f"{production.url('web1')}/")
    return chromium_page


def reports(page: Page) -> str:
    """A value on the server's page that each report changes."""
    return page.locator("#srv-seen time").get_attribute("datetime") or ""


def test_a_report_to_one_web_process_shows_on_the_other(production: Production, signed_in: Page) -> None:
    page = signed_in
    expect(page.locator("a:has-text('srv-real'), #servers th a").first).to_be_visible(timeout=120_000)
    page.goto(f"{production.url('web1')}/servers/srv-real/")
    expect(page.locator("#procs tr").first).to_be_visible()
    before = reports(page)
    eventually(lambda: reports(page), lambda seen: seen != before, 30)


def test_losing_redis_loses_liveness_only_until_it_is_back(production: Production, signed_in: Page) -> None:
    page = signed_in
    production.kill("redis")
    eventually(lambda: production.ready("web2"), lambda ready: not ready, 30)
    answer = requests.get(f"{production.url('web1')}/login/", timeout=60)
    assert answer.status_code == 200, "pages need no Redis"
    token = production.manage("api_token", "admin")
    count = len(points(production, token))
    eventually(lambda: len(points(production, token)), lambda now: now > count, 30)
    production.start("redis")
    eventually(lambda: production.ready("web2"), bool, 60)
    before = reports(page)
    eventually(lambda: reports(page), lambda seen: seen != before, 70)


def points(production: Production, token: str) -> list[object]:
    """The history of the server's CPU, one point a report."""
    address = f"{production.url('web1')}/api/servers/srv-real/history?metric=cpu&points=360"
    answer = requests.get(address, headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["points"])


def test_a_killed_worker_is_missed_and_its_successor_goes_on(production: Production) -> None:
    production.kill("worker")
    eventually(lambda: production.ready("web1"), lambda ready: not ready, 60)
    production.start("worker")
    eventually(lambda: production.ready("web1"), bool, 60)


def test_a_killed_web_process_comes_back_to_its_agent_and_the_page_says_so(
    production: Production, signed_in: Page
) -> None:
    page = signed_in
    live = page.locator("#live")
    expect(live).to_have_attribute("data-state", "live", timeout=120_000)
    production.kill("web1")
    expect(live).to_have_attribute("data-state", re.compile("reconnecting|offline"), timeout=120_000)
    production.start("web1")
    expect(live).to_have_attribute("data-state", "live", timeout=120_000)
    before = reports(page)
    eventually(lambda: reports(page), lambda seen: seen != before, 40)


def test_logs_are_json_and_hold_no_secrets(production: Production) -> None:
    written = "".join(path.read_text() for path in Path(production.folder).glob("web*.log"))
    assert '"event": "request"' in written
    assert not re.search(r"pm[aue]_[A-Za-z0-9_-]{20,}", written)
