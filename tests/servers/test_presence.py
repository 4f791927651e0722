"""Silent after three missed reports, by the hub's clock; never because the hub was away."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import msgspec
import pytest
from django.utils import timezone

from servers import ingest, presence, states
from servers.models import Newest, Server
from servers.presence import Watch
from servers.wire import Report
from tests.servers.announced import Announced, announced  # noqa: F401
from tests.servers.reports import report
from tests.servers.test_ingest_races import at_once

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)
NOW = timezone.now()


@pytest.fixture(autouse=True)
def _awake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker has been awake for an hour."""
    watch = Watch()
    watch.awake_since(timezone.now(), time.monotonic())
    watch.awake = timezone.now() - timedelta(hours=1)
    monkeypatch.setattr(presence, "watch", watch)


def reported(server: Server, seconds_ago: float, interval: float = 10) -> Server:
    ingest.store(server, msgspec.convert(report(), Report), timezone.now() - seconds_ago * SECOND)
    Newest.objects.filter(server=server).update(interval_sec=interval)
    return server


def state(server: Server) -> str:
    server.refresh_from_db()
    return server.state


@pytest.mark.parametrize(
    ("seconds", "interval", "expected"),
    [
        *((1, 10, states.UP), (29, 10, states.UP), (31, 10, states.SILENT), (31, 60, states.UP)),
        *((29, 2, states.UP), (31, 2, states.SILENT)),  # watched: asked for more, and given no less time
    ],
)
def test_silent_after_three_missed_reports(web1: Server, seconds: float, interval: float, expected: str) -> None:
    reported(web1, seconds, interval)
    presence.mark_silent()
    assert state(web1) == expected


def test_silent_since_now_and_back_with_the_next_report(web1: Server) -> None:
    reported(web1, 31)
    before = timezone.now()
    presence.mark_silent()
    assert state(web1) == states.SILENT
    assert web1.state_since >= before
    ingest.store(web1, msgspec.convert(report(ts=2), Report), timezone.now())
    presence.mark_silent()
    assert state(web1) == states.UP


def test_a_server_that_never_reported_waits(web1: Server) -> None:
    presence.mark_silent()
    assert state(web1) == states.WAITING


def test_a_receipt_far_in_the_future_is_no_life_sign(web1: Server) -> None:
    reported(web1, -3600)
    presence.mark_silent()
    assert state(web1) == states.SILENT


@pytest.mark.django_db(transaction=True)
def test_pages_are_told_once_though_two_workers_run(web1: Server, web2: Server, announced: Announced) -> None:  # noqa: F811
    reported(web1, 31), reported(web2, 1)
    announced()
    assert at_once([presence.mark_silent] * 4) == [None] * 4
    assert announced() == {"fleet:all", f"row:{web1.pk}", f"server:{web1.pk}"}
    since = Server.objects.get(pk=web1.pk).state_since
    presence.mark_silent()
    assert announced() == set()
    assert Server.objects.get(pk=web1.pk).state_since == since


class TestWatch:
    """When the hub counts as awake."""

    def rounds(self, watch: Watch, *clocks: tuple[float, float]) -> list[datetime]:
        return [watch.awake_since(NOW + wall * SECOND, steady) for wall, steady in clocks]

    def test_the_first_round_begins_it(self) -> None:
        assert self.rounds(Watch(), (0, 500), (2, 502), (4, 504)) == [NOW] * 3

    def test_a_pause_begins_it_anew(self) -> None:
        assert self.rounds(Watch(), (0, 500), (60, 560), (62, 562)) == [NOW, NOW + 60 * SECOND, NOW + 60 * SECOND]

    def test_a_sleep_that_the_steady_clock_does_not_count_begins_it_anew(self) -> None:
        assert self.rounds(Watch(), (0, 500), (3600, 502)) == [NOW, NOW + 3600 * SECOND]

    @pytest.mark.parametrize("jump", [-7200, -10, 10, 7200])
    def test_a_clock_that_was_set_begins_it_anew(self, jump: float) -> None:
        assert self.rounds(Watch(), (0, 500), (2 + jump, 502)) == [NOW, NOW + (2 + jump) * SECOND]

    def test_small_drift_and_slow_rounds_do_not(self) -> None:
        assert self.rounds(Watch(), (0, 500), (9.5, 508), (11, 510)) == [NOW] * 3


def test_after_an_absence_every_server_has_its_full_time(web1: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    reported(web1, 300)
    watch = Watch()
    monkeypatch.setattr(presence, "watch", watch)
    presence.mark_silent()
    assert state(web1) == states.UP
    watch.awake = timezone.now() - 31 * SECOND  # the full time later
    presence.mark_silent()
    assert state(web1) == states.SILENT
