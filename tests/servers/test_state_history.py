"""A server's states as they are kept, drawn, told and given to programs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from servers import ingest, presence, ranges, readings, rollup, state_history, state_words
from servers.history import HOUR
from servers.models import HubAbsence, Newest, Server, StateChange
from servers.wire import Report
from tests.cast import program_of
from tests.servers.reports import report
from tests.servers.test_presence import _awake, reported  # noqa: F401
from tests.servers.travelling import family, page, tell

pytestmark = pytest.mark.django_db
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
NOW = timezone.now().replace(microsecond=0)
STATES = "/api/servers/srv-web-01/states"


def store(server: Server, at: datetime, received: datetime | None = None, **facts: Any) -> None:
    received = received or at
    body = report(ts=at.timestamp(), sentAt=received.timestamp(), **facts)
    ingest.store(server, msgspec.convert(body, Report), received)


def changes(server: Server) -> list[tuple[datetime, str]]:
    return list(StateChange.objects.filter(server=server).order_by("id").values_list("at", "state"))


def told(server: Server, start: datetime, end: datetime = NOW) -> list[tuple[float, str, str]]:
    """Minutes of each spell, its state, why."""
    return [(one.seconds / 60, one.state, one.why) for one in state_history.of(server.pk, start, end).spells]


class TestKept:
    """Rows are written only at a change."""

    def test_up_with_the_first_report_and_not_again(self, web1: Server) -> None:
        for seconds in range(100, 0, -10):
            store(web1, NOW - seconds * SECOND)
        assert changes(web1) == [(NOW - 100 * SECOND, "up")]

    @pytest.mark.usefixtures("_awake")
    def test_silent_from_the_last_report_on_and_up_with_the_next(self, web1: Server) -> None:
        reported(web1, 40)
        last = Newest.objects.get(server=web1).received_at
        presence.mark_silent()
        presence.mark_silent()
        assert [state for _at, state in changes(web1)] == ["up", "silent"]
        assert changes(web1)[1][0] == last
        store(web1, NOW + 5 * SECOND)
        assert changes(web1)[2:] == [(NOW + 5 * SECOND, "up")]

    def test_a_boot_is_when_the_machine_says_it_was(self, web1: Server) -> None:
        store(web1, NOW - 300 * SECOND, bootId="a", uptimeSec=9_000)
        store(web1, NOW - 100 * SECOND, bootId="b", uptimeSec=40)
        store(web1, NOW, bootId="b", uptimeSec=140)
        assert changes(web1)[1:] == [(NOW - 140 * SECOND, "rebooted")]

    @pytest.mark.parametrize(("uptime", "ago"), [(9_000, 300), (None, 100)])
    def test_a_boot_is_never_before_the_report_before_it(self, web1: Server, uptime: int | None, ago: int) -> None:
        store(web1, NOW - 300 * SECOND, bootId="a")
        store(web1, NOW - 100 * SECOND, bootId="b", uptimeSec=uptime)
        assert changes(web1)[1:] == [(NOW - ago * SECOND, "rebooted")]

    def test_a_report_from_before_a_boot_that_comes_late_is_none(self, web1: Server) -> None:
        store(web1, NOW - 100 * SECOND, bootId="b")
        store(web1, NOW - 300 * SECOND, NOW, bootId="a")
        assert [state for _at, state in changes(web1)] == ["up"]

    def test_a_server_takes_its_history_with_it(self, web1: Server) -> None:
        store(web1, NOW)
        web1.delete()
        assert not StateChange.objects.exists()


class TestRead:
    """The stretch without a gap, and what came later in it."""

    def away(self, web1: Server, first: int, last: int) -> None:
        HubAbsence.objects.create(start=NOW - first * MINUTE, end=NOW - last * MINUTE, why="stopped")

    def test_an_absence_is_filled_by_what_agents_kept(self, web1: Server) -> None:
        store(web1, NOW - 60 * MINUTE)
        self.away(web1, 40, 20)
        expected = [(20, "up", ""), (20, "unknown", "stopped"), (20, "up", "")]
        assert told(web1, NOW - 60 * MINUTE) == expected
        for seconds in range(10, 1200, 20):
            store(web1, NOW - 40 * MINUTE + seconds * SECOND, NOW - 19 * MINUTE + seconds / 100 * SECOND)
        assert told(web1, NOW - 60 * MINUTE) == [(60, "up", "")]

    def test_so_is_one_that_is_rolled_up_already(self, web1: Server) -> None:
        store(web1, NOW - 60 * MINUTE)
        self.away(web1, 40, 20)
        for seconds in range(10, 1200, 20):
            store(web1, NOW - 40 * MINUTE + seconds * SECOND, NOW - 10 * MINUTE)
        rollup.roll_up()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM servers_hostreading")
        assert told(web1, NOW - 60 * MINUTE) == [(60, "up", "")]

    def test_the_report_that_ends_an_absence_does_not_fill_it(self, web1: Server) -> None:
        store(web1, NOW - 60 * MINUTE)
        self.away(web1, 40, 20)
        store(web1, NOW - 40 * MINUTE + 3 * SECOND)
        store(web1, NOW - 20 * MINUTE - 2 * SECOND, NOW - 20 * MINUTE + SECOND)
        assert told(web1, NOW - 60 * MINUTE)[1] == (20, "unknown", "stopped")

    def test_another_servers_reports_fill_nothing(self, web1: Server, web2: Server) -> None:
        store(web1, NOW - 60 * MINUTE)
        self.away(web1, 40, 20)
        for seconds in range(10, 1200, 20):
            body = report(agentId="srv-web-02", ts=seconds)
            ingest.store(web2, msgspec.convert(body, Report), NOW - 40 * MINUTE + seconds * SECOND)
        assert told(web1, NOW - 60 * MINUTE)[1] == (20, "unknown", "stopped")

    def test_months_are_read_in_three_queries(self, web1: Server) -> None:
        for day in range(30):
            at = NOW - day * timedelta(days=1)
            StateChange.objects.create(server=web1, at=at - HOUR, state="silent")
            StateChange.objects.create(server=web1, at=at, state="up")
        with CaptureQueriesContext(connection) as queries:
            state_history.of(web1.pk, NOW - timedelta(days=30), NOW)
        assert len(queries) == 3


class TestShown:
    """On the server page, now and then."""

    @pytest.fixture
    def gone(self, web1: Server) -> datetime:
        """Reports, the hub away for ten minutes, and ones until now; returns when it went."""
        now = timezone.now().replace(microsecond=0)
        for seconds in [*range(1800, 1200, -20), *range(600, 0, -20)]:
            tell(web1, now - seconds * SECOND, family())
        start = now - 1215 * SECOND
        HubAbsence.objects.create(start=start, end=now - 605 * SECOND, why="asleep")
        return start

    def test_the_gap_says_that_the_hub_was_away(self, as_viewer: Client, web1: Server, gone: datetime) -> None:
        shown = as_viewer.get("/servers/srv-web-01/").content.decode()
        assert shown.count('data-why="away"') == 1
        assert "<title>Hub away, " in shown
        assert '<rect data-kind="away"' in shown
        assert "Hub away: its machine was asleep" in shown
        assert "Server silent" not in shown

    def test_so_it_does_at_a_past_moment(self, as_viewer: Client, web1: Server, gone: datetime) -> None:
        shown = page(as_viewer, gone + 300 * SECOND)
        assert shown.count('data-why="away"') == 1
        assert "Hub away at this moment" in shown
        assert "Hub away: its machine was asleep at this moment: this is the last table before, from" in shown
        assert "silent at this moment" not in shown

    def test_nothing_is_hatched_where_data_came_later(self, as_viewer: Client, web1: Server, gone: datetime) -> None:
        for seconds in range(0, 615, 20):
            at = gone + seconds * SECOND
            body = report(agentId=web1.agent_id, ts=at.timestamp(), sentAt=timezone.now().timestamp())
            ingest.store(web1, msgspec.convert(body, Report), timezone.now())
        shown = as_viewer.get("/servers/srv-web-01/").content.decode()
        assert "data-why" not in shown
        assert '<rect data-kind="away"' not in shown

    def test_a_silent_servers_gap_says_so_up_to_now(self, web1: Server) -> None:
        now = timezone.now().replace(microsecond=0)
        for seconds in range(800, 400, -10):
            store(web1, now - seconds * SECOND)
        StateChange.objects.create(server=web1, at=now - 410 * SECOND, state="silent")
        newest = Newest.objects.get(server=web1)
        shown = readings.context(
            newest, web1.pk, readings.now_values(newest, True), ranges.preset({"range": "15m"}, now, live=True)
        )
        (gap,) = shown["gaps"]
        assert (gap["why"], gap["title"].split(",")[0]) == ("silent", "Server silent")
        assert shown["lane_states"]["now"] == "Silent"
        assert "Silent, " in shown["lane_states"]["label"]

    def test_a_boot_is_a_mark_that_leads_there(self, as_viewer: Client, web1: Server) -> None:
        now = timezone.now().replace(microsecond=0)
        store(web1, now - 300 * SECOND, bootId="a")
        store(web1, now - 100 * SECOND, bootId="b", uptimeSec=20)
        shown = as_viewer.get("/servers/srv-web-01/").content.decode()
        assert f'<a href="?at={(now - 120 * SECOND):%Y-%m-%dT%H:%M:%SZ}" aria-label="Rebooted' in shown

    def test_the_figure_says_what_it_does_not_know(self, web1: Server) -> None:
        Server.objects.filter(pk=web1.pk).update(enrolled_at=NOW - timedelta(days=90), state="up")
        web1.refresh_from_db()
        StateChange.objects.create(server=web1, at=NOW - timedelta(days=60), state="up")
        StateChange.objects.create(server=web1, at=NOW - timedelta(days=2), state="silent")
        StateChange.objects.create(server=web1, at=NOW - timedelta(days=2) + 130 * MINUTE, state="up")
        HubAbsence.objects.create(start=NOW - 5 * HOUR, end=NOW - 5 * HOUR + 41 * MINUTE, why="stopped")
        said = state_words.figure(web1, NOW)
        assert said
        assert said[0] == "Last 30 days"
        words = said[1].replace('<span class="unit">', "").replace("</span>", "")
        assert words == "up 99.6%, silent 0.3%, not known 0.1% (hub away 41 min)"

    def test_a_new_servers_figure_begins_with_its_first_report(self, web1: Server) -> None:
        assert state_words.figure(web1, NOW) is None
        Server.objects.filter(pk=web1.pk).update(enrolled_at=NOW - 20 * MINUTE)
        store(web1, NOW - 10 * MINUTE)
        web1.refresh_from_db()
        assert state_words.figure(web1, NOW) == ("Since it was added", 'up 100<span class="unit">%</span>')

    @pytest.mark.parametrize(
        ("seconds", "said"),
        [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (2460, "41 min"), (21_720, "6 h 2 min"), (259_200, "3 d")],
    )
    def test_spans_have_their_two_largest_units(self, seconds: float, said: str) -> None:
        assert state_words.span(seconds) == said


class TestApi:
    """GET /api/servers/{id}/states."""

    def test_spells_shares_and_boots(self, viewer: User, web1: Server) -> None:
        store(web1, NOW - 60 * MINUTE, bootId="a")
        store(web1, NOW - 30 * MINUTE, bootId="b")
        HubAbsence.objects.create(start=NOW - 20 * MINUTE, end=NOW - 14 * MINUTE, why="stopped")
        query = {"from": (NOW - 60 * MINUTE).isoformat(), "to": NOW.isoformat()}
        said = program_of(viewer).get(STATES, query).json()
        assert said["shares"] == {"up": 90.0, "unknown": 10.0}
        assert [(one["state"], one["why"]) for one in said["spells"]] == [
            ("up", None), ("unknown", "stopped"), ("up", None),
        ]  # fmt: skip
        assert said["spells"][0]["from"] == said["from"]
        assert said["spells"][-1]["to"] == said["to"]
        assert len(said["boots"]) == 1

    def test_the_last_30_days_when_nothing_is_said(self, viewer: User, web1: Server) -> None:
        said = program_of(viewer).get(STATES).json()
        length = datetime.fromisoformat(said["to"]) - datetime.fromisoformat(said["from"])
        assert length == timedelta(days=30)
        assert said["shares"] == {"unknown": 100.0}

    @pytest.mark.parametrize(
        ("query", "field"),
        [({"from": "yesterday"}, "from"), ({"to": "soon"}, "to"), ({"from": "2030-01-01T00:00:00Z"}, "from")],
    )
    def test_wrong_parameters_are_named(self, viewer: User, web1: Server, query: dict[str, str], field: str) -> None:
        answer = program_of(viewer).get(STATES, query)
        assert answer.status_code == 400
        assert field in answer.json()["fields"]

    def test_another_scopes_server_is_not_there(self, outsider: User, web1: Server) -> None:
        assert program_of(outsider).get(STATES).status_code == 404
