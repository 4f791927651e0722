"""Watch mode: while a server's page is open its real agent reports every 2 s, and history keeps its 10."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NEW_KEY, PageAs
from tests.browser.hub import CHECKOUT, Hub
from tests.browser.looks import WIDTHS, accessible, fits
from tests.hosts.waiting import eventually
from tests.patience import PATIENCE

AGENT_ID = "watched-01"
HIDE = "hidden => { Object.defineProperty(document, 'hidden', {value: hidden, configurable: true});" + (
    " document.dispatchEvent(new Event('visibilitychange')); }"
)


@pytest.fixture(scope="module")
def watched(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The number of a server with a real agent, this machine's, at the usual interval."""
    settings = {
        "API": hub.url,
        "AGENT_ID": AGENT_ID,
        "ENROLMENT_KEY": hub.python("-c", NEW_KEY, "Web"),
        "STATE_DIR": str(tmp_path_factory.mktemp("state")),
    }
    command = [sys.executable, "-m", "agent", "--config", os.devnull]
    agent = subprocess.Popen(command, cwd=CHECKOUT, env={"PATH": os.environ["PATH"], **settings})
    reported = "SELECT server_id FROM servers_newest JOIN servers_server ON id = server_id WHERE agent_id = %s"
    yield eventually(lambda: hub.sql(reported, AGENT_ID), bool, 60)[0][0]
    agent.kill()
    agent.wait()


def asked(hub: Hub, server: int) -> float:
    """Seconds between two reports that the agent was last asked for."""
    return float(hub.sql("SELECT interval_sec FROM servers_newest WHERE server_id = %s", server)[0][0])


def seq(page: Page) -> int:
    """The report that the page shows."""
    return int((page.locator("#srv-version").get_attribute("data-version") or "0-").split("-")[0])


def moves(page: Page, reports: int) -> None:
    """Wait until the page has come so many reports further, each shown."""
    page.wait_for_function(
        "last => parseInt(document.querySelector('#srv-version').dataset.version) >= last",
        arg=seq(page) + reports,
        timeout=PATIENCE * 60_000,
    )


def test_the_table_moves_faster_while_the_page_is_open_and_history_does_not(
    hub: Hub, page_as: PageAs, watched: int
) -> None:
    page = page_as("viewer")
    page.goto(f"/servers/{AGENT_ID}/")
    expect(page.locator("#live[data-state=live]")).to_be_visible()
    expect(page.locator("#srv-version")).to_be_attached()
    eventually(lambda: asked(hub, watched), lambda seconds: seconds == 2, 30)
    first = hub.sql("SELECT seq, now() FROM servers_newest WHERE server_id = %s", watched)[0]
    moves(page, 12)
    expect(page.locator("#proc-started")).to_contain_text("started since the last sample")
    (reports,) = hub.sql("SELECT seq - %s FROM servers_newest WHERE server_id = %s", first[0], watched)[0]
    query = "SELECT sampled_at FROM servers_hostreading WHERE server_id = %s AND sampled_at > %s ORDER BY 1"
    kept = [at for (at,) in hub.sql(query, watched, first[1])]
    assert len(kept) <= reports / 3
    assert all((after - before).total_seconds() > 8 for before, after in itertools.pairwise(kept))
    page.evaluate(HIDE, True)  # another tab is in front: nobody looks
    eventually(lambda: asked(hub, watched), lambda seconds: seconds == 10, 60)
    page.evaluate(HIDE, False)
    eventually(lambda: asked(hub, watched), lambda seconds: seconds == 2, 30)
    moves(page, 2)
    page.close()
    eventually(lambda: asked(hub, watched), lambda seconds: seconds == 10, 60)


def test_a_page_of_the_past_does_not_watch(hub: Hub, page_as: PageAs, watched: int) -> None:
    eventually(lambda: asked(hub, watched), lambda seconds: seconds == 10, 60)
    before = hub.sql("SELECT watched_until FROM servers_newest WHERE server_id = %s", watched)
    page = page_as("viewer")
    page.goto(f"/servers/{AGENT_ID}/?at=2026-01-01T00:00:00Z")
    expect(page.locator("#live[data-state=past]")).to_be_visible()
    page.wait_for_timeout(1500)
    assert hub.sql("SELECT watched_until FROM servers_newest WHERE server_id = %s", watched) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_started_fits_beside_the_count(page_as: PageAs, watched: int, scheme: str) -> None:
    page = page_as("viewer", scheme=scheme)
    page.goto(f"/servers/{AGENT_ID}/")
    expect(page.locator("#proc-started")).to_be_visible()
    for width in WIDTHS:
        fits(page, width)
    accessible(page)
