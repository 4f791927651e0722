"""Nobody is silent because the hub was away, asleep or had its clock set: one summary tells of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import msgspec
import pytest
from django.test import Client
from django.utils import timezone

from servers import ingest, presence, state_history, states
from servers.hub_absences import PAUSE, read_clocks
from servers.models import HubAbsence, HubBeat, Newest, Server, StateChange
from servers.presence import Watch
from servers.wire import Report
from tests.servers.reports import report
from tests.servers.test_hub_absences import heart, later
from tests.servers.test_presence import reported, state

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.fixture
def awake(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Sets since when the worker has been awake without a break."""
    watch = Watch()
    watch.awake_since(timezone.now(), time.monotonic())
    monkeypatch.setattr(presence, "watch", watch)

    def since(ago: timedelta) -> None:
        watch.awake = timezone.now() - ago

    return since


def web_is_back(ago: timedelta) -> None:
    """A web process has taken reports since then; before that, none for six hours."""
    now = read_clocks()
    HubBeat.objects.all().delete()
    HubBeat.objects.create(
        at=now.wall, since=now.wall - ago, boot_sec=now.boot_sec, awake_sec=now.awake_sec, boot_id=now.boot_id
    )


@pytest.mark.django_db
class TestNoStorm:
    """Nobody is silent because the hub was away."""

    def test_six_hours_asleep_end_in_one_summary(
        self, web1: Server, web2: Server, as_viewer: Client, awake: Callable[[timedelta], None]
    ) -> None:
        now = read_clocks()
        slept = later(-21_720, boot=now.boot_id, since=now)._replace(awake_sec=now.awake_sec - 3)
        heart(slept).beat()
        for server in (web1, web2):
            reported(server, 21_721)
        heart(now).beat()
        awake(timedelta(0))
        for _ in range(3):
            presence.mark_silent()
        assert [state(web1), state(web2)] == [states.UP, states.UP]
        shown = as_viewer.get("/").content.decode()
        assert shown.count("Hub away: its machine was asleep") == 1
        assert "6 h 2 min" in shown
        found = state_history.of(web1.pk, now.wall - 5 * HOUR, now.wall).spells
        assert [(one.state, one.why) for one in found] == [("unknown", "asleep")]

    def test_who_stays_silent_after_its_full_time_is_marked_as_usual(
        self, web1: Server, awake: Callable[[timedelta], None]
    ) -> None:
        reported(web1, 300)
        awake(HOUR)
        web_is_back(20 * SECOND)
        presence.mark_silent()
        assert state(web1) == states.UP
        web_is_back(31 * SECOND)
        presence.mark_silent()
        assert state(web1) == states.SILENT
        assert [(one.state, one.at) for one in StateChange.objects.order_by("id")][-1] == (
            "silent", Newest.objects.get(server=web1).received_at,
        )  # fmt: skip

    def test_while_no_web_process_takes_reports_nobody_is_marked(
        self, web1: Server, awake: Callable[[timedelta], None]
    ) -> None:
        reported(web1, 300)
        awake(HOUR)
        web_is_back(HOUR)
        HubBeat.objects.update(told_at=timezone.now() - PAUSE - SECOND)
        presence.mark_silent()
        assert state(web1) == states.UP

    @pytest.mark.parametrize("hours", [-8, 8])
    def test_a_clock_set_by_hours_marks_nobody_who_goes_on_reporting(
        self, web1: Server, web2: Server, hours: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reported(web1, 5)
        reported(web2, 5)
        watch, before, clocks = Watch(), timezone.now(), read_clocks()
        watch.awake_since(before - HOUR, time.monotonic() - 3602)
        watch.awake_since(before - 2 * SECOND, time.monotonic() - 2)
        monkeypatch.setattr(presence, "watch", watch)
        beating = heart(clocks)
        beating.beat()
        monkeypatch.setattr(timezone, "now", lambda: before + hours * HOUR)
        presence.mark_silent()
        beating.clocks = lambda: clocks._replace(wall=before + hours * HOUR, boot_sec=clocks.boot_sec + 3)
        beating.beat()
        presence.mark_silent()
        assert [state(web1), state(web2)] == [states.UP, states.UP]
        ingest.store(web1, msgspec.convert(report(ts=7), Report), before + hours * HOUR + 5 * SECOND)
        monkeypatch.setattr(timezone, "now", lambda: before + hours * HOUR + 32 * SECOND)
        watch.awake_since(before + hours * HOUR + 30 * SECOND, time.monotonic() - 2)
        watch.awake = before + hours * HOUR  # the worker ran on since then
        beating.clocks = lambda: later(32, since=clocks._replace(wall=before + hours * HOUR), boot=clocks.boot_id)
        beating.own = beating.clocks()
        beating.beat()
        presence.mark_silent()
        assert [state(web1), state(web2)] == [states.UP, states.SILENT]
        assert list(HubAbsence.objects.values_list("why", flat=True)) == (["clock set"] if hours > 0 else [])


@pytest.mark.django_db
class TestSummary:
    """The dashboard's notice."""

    @pytest.mark.parametrize(("seconds", "ago", "said"), [(60, 0, True), (59, 0, False), (3600, 7 * 3600, False)])
    def test_it_is_said_for_some_hours_when_it_is_worth_it(
        self, web1: Server, as_viewer: Client, seconds: int, ago: int, said: bool
    ) -> None:
        end = timezone.now() - ago * SECOND
        HubAbsence.objects.create(start=end - seconds * SECOND, end=end, why="stopped")
        assert ("Hub away: it was not running" in as_viewer.get("/").content.decode()) is said

    def test_several_are_one_summary(self, web1: Server, as_viewer: Client) -> None:
        for hours in (1, 2, 3):
            end = timezone.now() - hours * HOUR
            HubAbsence.objects.create(start=end - 120 * SECOND, end=end, why="stopped")
        shown = as_viewer.get("/").content.decode()
        assert shown.count("Hub away") == 1
        assert "2 more absences in the last hours." in shown
