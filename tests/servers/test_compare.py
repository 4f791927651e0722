"""Two process tables compared, and services as they were: pure, so neither page nor database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given

from servers import service_events as kinds
from servers.compare import compare
from servers.models import Service
from servers.service_events import Event
from servers.services_then import Then, services_then
from servers.wire import Proc
from tests.servers.samples import histories, proc

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_what_came_and_what_went_is_told_by_pid_and_start_largest_first() -> None:
    found = compare(
        [proc(1), proc(2, name="a", cpu=1.0), proc(3, name="b", cpu=2.0)],
        [proc(1), proc(4, name="c", mem_mb=5.0), proc(5, name="d", mem_mb=9.0)],
    )
    assert [one.pid for one in found.gone] == [3, 2]
    assert [one.pid for one in found.new] == [5, 4]
    assert (found.restarted, found.grown, found.same) == ([], [], 1)


def test_a_number_used_again_is_another_process() -> None:
    found = compare([proc(7, name="a", start_ticks=1)], [proc(7, name="b", start_ticks=2)])
    assert ([one.name for one in found.gone], [one.name for one in found.new]) == (["a"], ["b"])


def test_one_that_came_back_under_another_number_was_restarted() -> None:
    found = compare([proc(7, start_ticks=1)], [proc(8, start_ticks=2)])
    assert [(pair.before.pid, pair.after.pid) for pair in found.restarted] == [(7, 8)]
    assert (found.new, found.gone) == ([], [])


@pytest.mark.parametrize("other", [{"name": "x"}, {"user": "x"}, {"cmdline": "x"}])
def test_another_name_user_or_command_is_no_restart(other: dict[str, str]) -> None:
    found = compare([proc(7, start_ticks=1)], [proc(8, start_ticks=2, **other)])
    assert (len(found.new), len(found.gone), found.restarted) == (1, 1, [])


def test_of_three_workers_gone_and_two_new_two_were_restarted_the_oldest_first() -> None:
    found = compare([proc(n, start_ticks=n) for n in (3, 1, 2)], [proc(n, start_ticks=n) for n in (5, 4)])
    assert sorted((pair.before.pid, pair.after.pid) for pair in found.restarted) == [(1, 4), (2, 5)]
    assert [one.pid for one in found.gone] == [3]


@pytest.mark.parametrize(
    ("before", "after", "grew"),
    [
        ({"cpu": 1.0}, {"cpu": 6.0}, True),
        ({"cpu": 1.0}, {"cpu": 5.9}, False),
        ({"cpu": None}, {"cpu": 5.0}, True),
        ({"cpu": 50.0}, {"cpu": None}, False),
        ({"mem_mb": 100.0}, {"mem_mb": 110.0}, True),
        ({"mem_mb": 100.0}, {"mem_mb": 109.0}, False),
        ({"mem_mb": 1000.0}, {"mem_mb": 1099.0}, False),
        ({"mem_mb": 1000.0}, {"mem_mb": 1100.0}, True),
        ({"mem_mb": 1000.0}, {"mem_mb": 1.0}, False),
    ],
)
def test_grown_is_by_a_twentieth_of_a_core_or_by_ten_megabytes_and_a_tenth(
    before: dict[str, Any], after: dict[str, Any], grew: bool
) -> None:
    assert bool(compare([proc(1, **before)], [proc(1, **after)]).grown) is grew


def test_what_grew_most_comes_first() -> None:
    before = [proc(1, cpu=0.0), proc(2, mem_mb=0.0), proc(3, cpu=0.0)]
    after = [proc(1, cpu=60.0), proc(2, mem_mb=2048.0), proc(3, cpu=90.0)]
    assert [pair.after.pid for pair in compare(before, after).grown] == [2, 3, 1]


@given(histories())
def test_each_process_is_told_of_once_and_back_again_is_the_mirror(tables: list[list[Proc]]) -> None:
    before, after = tables[0], tables[-1]
    found, back = compare(before, after), compare(after, before)
    keys = [{(one.pid, one.start_ticks) for one in table} for table in (before, after)]
    assert len(found.gone) + len(found.restarted) + found.same == len(keys[0])
    assert len(found.new) + len(found.restarted) + found.same == len(keys[1])
    assert found.same == len(keys[0] & keys[1])
    assert (len(back.new), len(back.gone), len(back.restarted)) == (
        len(found.gone), len(found.new), len(found.restarted),
    )  # fmt: skip


# Services


def listed(state: str = "active", minutes: float | None = -10, pid: int | None = 7, name: str = "a.service") -> Service:
    since = None if minutes is None else AT + minutes * MINUTE
    return Service(name=name, description="A", active_state=state, main_pid=pid, since=since)


def event(kind: str, minutes: float, name: str = "a.service", **facts: Any) -> Event:
    return Event(name, AT + minutes * MINUTE, kind, facts)


def one(services: list[Service], *events: Event) -> Then | None:
    found = services_then(services, events, AT)
    assert len(found) <= 1
    return found[0] if found else None


def test_what_nothing_happened_to_since_was_as_it_is() -> None:
    assert one([listed()]) == Then("a.service", "A", "active", 7, AT - 10 * MINUTE)
    assert one([listed("inactive", None, None)]) == Then("a.service", "A", "inactive", None, None)


def test_a_change_that_no_event_tells_of_leaves_it_unknown() -> None:
    assert one([listed(minutes=5)]) == Then("a.service", "A", "", None, None)
    assert one([listed()], event(kinds.BOOTED, 5, "")) == Then("a.service", "A", "", None, None)


@pytest.mark.parametrize(
    ("kind", "facts", "state", "pid"),
    [
        (kinds.STARTED, {"pidNow": 9}, "active", 9),
        (kinds.STOPPED, {"pidBefore": 9}, "inactive", None),
        (kinds.CRASHED, {"pidBefore": 8, "pidNow": 9, "runs": True}, "active", 9),
        (kinds.CRASHED, {"pidBefore": 8}, "failed", None),
        (kinds.APPEARED, {}, "", None),
    ],
)
def test_the_last_event_before_tells(kind: str, facts: dict[str, Any], state: str, pid: int | None) -> None:
    events = (event(kinds.STOPPED, -9), event(kind, -5, **facts), event(kinds.STOPPED, 5, pidBefore=3))
    assert one([listed(minutes=5)], *events) == Then("a.service", "A", state, pid, AT - 5 * MINUTE)


@pytest.mark.parametrize(
    ("kind", "state"), [(kinds.STOPPED, "active"), (kinds.RESTARTED, "active"), (kinds.STARTED, "")]
)
def test_else_the_first_event_after_tells(kind: str, state: str) -> None:
    found = one([listed("failed", 9)], event(kind, 5, pidBefore=3), event(kinds.FAILED, 9))
    assert found == Then("a.service", "A", state, 3 if state else None, None)


def test_a_boot_between_cuts_what_came_before_off() -> None:
    assert one([listed(minutes=5)], event(kinds.STARTED, -9, pidNow=1), event(kinds.BOOTED, -5, "")) == Then(
        "a.service", "A", "", None, None
    )


def test_services_that_were_not_there_are_left_out_and_gone_ones_are_there() -> None:
    assert one([listed()], event(kinds.APPEARED, 5)) is None
    assert one([], event(kinds.GONE, -5)) is None
    assert one([], event(kinds.GONE, 5)) == Then("a.service", "", "", None, None)


def test_failed_ones_come_first_and_unknown_ones_last() -> None:
    services = [listed(name="a", minutes=5), listed("inactive", name="b"), listed(name="c"), listed("failed", name="d")]
    assert [one.name for one in services_then(services, [], AT)] == ["d", "c", "b", "a"]
