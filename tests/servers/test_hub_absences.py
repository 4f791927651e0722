"""When the hub took no reports: what its clocks tell, and that an absence is recorded once, whoever comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import Error, IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from actions.models import AuditEntry
from servers.hub_absences import Clocks, Gap, Heart, gap, read_clocks
from servers.models import HubAbsence, HubBeat, Server, StateChange
from tests.actions.web_process import web_process
from tests.hosts.waiting import eventually
from tests.servers.announced import Announced, announced  # noqa: F401
from tests.servers.test_gathering_away import Database, database  # noqa: F401
from tests.servers.test_ingest_races import at_once

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
NOW = timezone.now()
START = Clocks(NOW, 5_000.0, 4_000.0, "boot")


def later(seconds: float, asleep: float = 0, jump: float = 0, boot: str = "boot", since: Clocks = START) -> Clocks:
    """So many seconds later, of which it slept some, with the wall clock set by so much."""
    wall = since.wall + (seconds + jump) * SECOND
    return Clocks(wall, since.boot_sec + seconds, since.awake_sec + seconds - asleep, boot)


class TestGap:
    """What two beats tell."""

    @pytest.mark.parametrize("seconds", [0, 3, 15])
    def test_a_short_pause_is_none(self, seconds: float) -> None:
        assert gap(START, later(seconds)) is None

    def test_a_hub_that_ran_no_more_was_stopped(self) -> None:
        assert gap(START, later(60)) == Gap(NOW, NOW + 60 * SECOND, "stopped")

    def test_six_hours_asleep(self) -> None:
        assert gap(START, later(21_720, asleep=21_717)) == Gap(NOW, NOW + 21_720 * SECOND, "asleep")

    def test_a_process_that_slept_itself(self) -> None:
        after = later(21_720, asleep=21_717)
        assert gap(START, after, own=START) == Gap(NOW, NOW + 21_720 * SECOND, "asleep")

    def test_the_database_was_away(self) -> None:
        assert gap(START, later(60), own=START, refused=True) == Gap(NOW, NOW + 60 * SECOND, "database away")

    def test_another_boot_has_only_the_walls_clock(self) -> None:
        booted = Clocks(NOW + 300 * SECOND, 20.0, 20.0, "another")
        assert gap(START, booted) == Gap(NOW, NOW + 300 * SECOND, "stopped")
        assert gap(START, booted._replace(wall=NOW - HOUR)) is None

    def test_a_clock_set_forward_leaves_hours_that_never_were(self) -> None:
        after = later(3, jump=8 * 3600)
        assert gap(START, after, own=START) == Gap(NOW, after.wall, "clock set")

    @pytest.mark.parametrize("jump", [-8 * 3600, -60, -10, 10])
    def test_a_clock_set_back_or_by_little_is_no_absence(self, jump: float) -> None:
        assert gap(START, later(3, jump=jump), own=START) is None

    def test_an_absence_in_which_the_clock_was_set_back_has_no_length(self) -> None:
        assert gap(START, later(3600, jump=-7200)) is None

    def test_what_others_took_meanwhile_was_not_missed(self) -> None:
        fresh = later(598)
        assert gap(fresh, later(600), own=START) is None

    def test_who_was_there_all_along_trusts_itself_more_than_another_machines_clock(self) -> None:
        other = Clocks(NOW - HOUR, 77.0, 77.0, "another")
        assert gap(other, later(3), own=START) is None


def heart(clocks: Clocks) -> Heart:
    return Heart(lambda: clocks)


@pytest.mark.django_db
class TestRecorded:
    """What a beat leaves."""

    def test_the_first_beat_ever_ends_no_absence(self) -> None:
        heart(START).beat()
        assert not HubAbsence.objects.exists()
        assert HubBeat.objects.get().since == NOW

    def test_an_absence_is_recorded_with_its_audit_entry(self, as_admin: Client) -> None:
        heart(START).beat()
        heart(later(21_720, asleep=21_700)).beat()
        found = HubAbsence.objects.get()
        assert (found.start, found.end, found.why) == (NOW, NOW + 21_720 * SECOND, "asleep")
        assert HubBeat.objects.get().since == found.end
        entry = AuditEntry.objects.get()
        assert (entry.event, entry.actor, entry.facts["seconds"]) == ("hub.away", "hub", 21_720)
        assert "Hub away: its machine was asleep (6 h 2 min)" in as_admin.get("/audit/").content.decode()

    def test_beats_go_on_without_one(self) -> None:
        beating = heart(START)
        for number in range(4):
            beating.clocks = lambda number=number: later(3 * number)  # type: ignore[misc]
            beating.beat()
        assert not HubAbsence.objects.exists()
        assert (HubBeat.objects.get().since, HubBeat.objects.get().at) == (NOW, NOW + 9 * SECOND)

    @pytest.mark.parametrize(("seconds", "anew"), [(7, False), (8, True)])
    def test_a_pause_that_is_no_absence_gives_servers_their_full_time_again(self, seconds: int, anew: bool) -> None:
        heart(START).beat()
        heart(later(seconds)).beat()
        assert not HubAbsence.objects.exists()
        assert (HubBeat.objects.get().since > NOW) is anew

    def test_two_processes_that_see_the_clock_set_record_it_once(self) -> None:
        first, second = heart(START), heart(later(1))
        first.beat()
        second.beat()
        first.clocks, second.clocks = lambda: later(3, jump=28_800), lambda: later(4, jump=28_800)
        first.beat()
        second.beat()
        assert HubAbsence.objects.get().why == "clock set"

    def test_a_clock_set_back_takes_back_what_is_still_to_come(self, web1: Server) -> None:
        beating = heart(START)
        beating.beat()
        beating.clocks = lambda: later(3, jump=28_800)
        beating.beat()
        StateChange.objects.create(server=web1, at=NOW + 28_805 * SECOND, state="silent")
        beating.clocks = lambda: later(6)
        beating.beat()
        assert HubAbsence.objects.get().end == NOW + 6 * SECOND
        assert StateChange.objects.get().at == NOW + 6 * SECOND
        assert HubBeat.objects.get().since == NOW + 6 * SECOND

    def test_the_table_refuses_a_negative_length(self) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            HubAbsence.objects.create(start=NOW, end=NOW - SECOND, why="stopped")

    def test_this_machines_clocks_are_read(self) -> None:
        first, second = read_clocks(), read_clocks()
        assert first.boot_id == second.boot_id != ""
        assert 0 <= second.boot_sec - first.boot_sec < 60
        assert first.boot_sec >= first.awake_sec - 0.1


@pytest.mark.django_db(transaction=True)
class TestTogether:
    """Several processes, and none."""

    def test_of_many_that_come_back_together_one_records_it(self, announced: Announced) -> None:  # noqa: F811
        heart(START).beat()
        announced()
        back = [heart(later(600 + number / 10)) for number in range(6)]
        assert at_once([one.beat for one in back]) == [None] * 6
        assert HubAbsence.objects.count() == 1
        assert AuditEntry.objects.filter(event="hub.away").count() == 1
        assert announced() == {"fleet:all", "audit:all"}

    def test_the_database_was_away(self, web1: Server, database: Database) -> None:  # noqa: F811
        beating = heart(START)
        assert at_once([beating.beat]) == [None]
        database.open(False)
        database.cut()
        beating.clocks = lambda: later(30)
        (refused,) = at_once([beating.beat])
        assert isinstance(refused, Error)
        database.open(True)
        beating.clocks = lambda: later(90)
        eventually(lambda: at_once([beating.beat]), lambda ends: ends == [None], 60)
        assert (HubAbsence.objects.get().why, HubAbsence.objects.get().end) == ("database away", NOW + 90 * SECOND)

    def test_the_database_hung(self) -> None:
        beating = heart(START)
        beating.beat()
        moments = iter([later(3), later(70)])  # as the beat begins, and when the row is locked at last
        beating.clocks = lambda: next(moments)
        beating.beat()
        assert (HubAbsence.objects.get().why, HubAbsence.objects.get().start) == ("database away", NOW)

    def test_a_hub_that_was_killed_tells_it_once_though_two_web_processes_come_back(self) -> None:
        with web_process() as web:
            eventually(HubBeat.objects.count, bool, 60)
            web.process.kill()
            web.process.wait(60)
        beat = HubBeat.objects.get()
        hours = {"at": beat.at - 6 * HOUR, "boot_sec": beat.boot_sec - 21_600, "awake_sec": beat.awake_sec - 21_600}
        HubBeat.objects.update(**hours, since=beat.since - 6 * HOUR)
        with web_process(), web_process():
            eventually(HubAbsence.objects.count, bool, 60)
            again = HubBeat.objects.get().at
            eventually(lambda: HubBeat.objects.get().at > again + 6 * SECOND, bool, 60)  # both have beaten
        absence = HubAbsence.objects.get()
        assert absence.why == "stopped"
        assert absence.start == beat.at - 6 * HOUR
        assert 6 * HOUR <= absence.end - absence.start < 7 * HOUR
        assert HubBeat.objects.get().at > again, "a process that ends says so"
