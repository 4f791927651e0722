"""The machine by itself: what it does with each sample, and what holds whatever the samples are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from alerts.evaluate import machine
from alerts.evaluate.found import BETWEEN, NO_DATA, OVER, UNDER, Seen
from alerts.evaluate.machine import CLEARS, GONE, HEARD, LOST, OPENS, WORSENS, Conditions, Event, Stood

START = datetime(2026, 1, 1, tzinfo=UTC)
LEVELS = {"o": OVER, "b": BETWEEN, "u": UNDER, "-": NO_DATA}
ONES = {kind: mark for mark, kind in {"O": OPENS, "C": CLEARS, "G": GONE, "L": LOST, "H": HEARD, "W": WORSENS}.items()}


def at(place: int) -> datetime:
    return START + timedelta(seconds=10 * place)


def seen(place: int, level: str, value: float | None = 1, **facts: object) -> Seen:
    return Seen(1, 2, "", at(place), LEVELS.get(level, level), value, facts)


def run(rule: Conditions, samples: str) -> str:
    """What each sample makes happen, "." for nothing; a blank is a sample that is missing, ten seconds apart."""
    stood: Stood | None = None
    told = ""
    for place, sample in enumerate(samples):
        event: Event | None = None
        if sample != " ":
            stood, event = machine.step(rule, stood, seen(place, sample))
        told += ONES[event.kind] if event else "."
    return told


@pytest.mark.parametrize(
    ("rule", "samples", "told"),
    [
        (Conditions(), "uobu", ".O.C"),
        (Conditions(), "obbb", "O..."),
        (Conditions(for_sec=20), "ooobou", "..O..C"),
        (Conditions(for_sec=20), "oobooo", ".....O"),
        (Conditions(for_sec=15), "ooo", "..O"),
        (Conditions(clear_for_sec=20), "ouuu", "O..C"),
        (Conditions(clear_for_sec=20), "ouubuuu", "O.....C"),
        (Conditions(clear_for_sec=20), "ouu-uuu", "O..LH.C"),
        (Conditions(clear_for_sec=20, gap_sec=30), "ouu    uuu", "O........C"),
        (Conditions(for_sec=20), "oo-ooo", ".....O"),
        (Conditions(for_sec=20, gap_sec=30), "oo   ooo", ".......O"),
        (Conditions(for_sec=20, gap_sec=30), "oo  o", "....O"),
        (Conditions(for_sec=20), "oo     o", ".......O"),
        (Conditions(), "o--o-u", "OL.HLC"),
        (Conditions(), "o-b", "OLH"),
        (Conditions(k=2, n=3), "uououuu", "...OC.."),
        (Conditions(k=2, n=3), "ouuouuo", "......."),
        (Conditions(k=3, n=3), "ooobu", "..O.C"),
        (Conditions(k=2, n=3, for_sec=10), "uouoo", "....O"),
        (Conditions(k=2, n=3, gap_sec=30), "o   oo", ".....O"),
        (Conditions(k=1, n=3), "ouuuouuu", "O..CO..C"),
    ],
)
def test_samples_make_happen(rule: Conditions, samples: str, told: str) -> None:
    assert run(rule, samples) == told


@pytest.mark.parametrize(("late", "opens"), [(-40, True), (0, True), (40, True), (-600, False)])
def test_milliseconds_that_a_sample_comes_early_hold_nothing_up(late: int, opens: bool) -> None:
    stood, _event = machine.step(Conditions(for_sec=10), None, seen(0, "o"))
    sample = seen(1, "o")._replace(at=at(1) + timedelta(milliseconds=late))
    _stood, event = machine.step(Conditions(for_sec=10), stood, sample)
    assert (event is not None and event.kind == OPENS) is opens


def test_it_tells_since_when_and_with_which_value() -> None:
    rule = Conditions(for_sec=10)
    stood, _event = machine.step(rule, None, seen(0, "o", 95))
    stood, event = machine.step(rule, stood, seen(1, "o", 97, pid=12))
    assert event == Event(OPENS, at(1), at(0), 97, {"pid": 12})
    assert stood == Stood(machine.FIRING, at(0), at(1), value=97, facts={"pid": 12})


@pytest.mark.parametrize(("lower", "values", "worst"), [(False, [5, 7, 6], 7), (True, [5, 7, 3], 3)])
def test_the_worst_value_is_told_once(lower: bool, values: list[float], worst: float) -> None:
    rule, stood, events = Conditions(lower_is_worse=lower), None, []
    for place, value in enumerate(values):
        stood, event = machine.step(rule, stood, seen(place, "o", value))
        events.append(event)
    assert [event.value for event in events if event and event.kind == WORSENS] == [worst]


@pytest.mark.parametrize("before", ["", "o", "oo", "oo-", "oou"])
def test_a_subject_that_is_gone_ends_what_fires_and_drops_the_rest(before: str) -> None:
    rule, stood = Conditions(for_sec=10, clear_for_sec=60), None
    for place, sample in enumerate(before):
        stood, _event = machine.step(rule, stood, seen(place, sample))
    stood, event = machine.step(rule, stood, seen(9, "u", None, gone=True))
    assert stood is None
    assert (event.kind if event else None) == (GONE if len(before) > 1 else None)


def test_what_was_looked_at_changes_nothing() -> None:
    stood, _event = machine.step(Conditions(), None, seen(3, "o"))
    for place in (3, 2):
        assert machine.step(Conditions(), stood, seen(place, "u")) == (stood, None)


rules = some.builds(
    Conditions,
    for_sec=some.sampled_from([0, 10, 25, 40]),
    clear_for_sec=some.sampled_from([0, 10, 25]),
    k=some.just(2),
    n=some.sampled_from([None, 2, 4]),
    gap_sec=some.sampled_from([None, 30]),
)


@given(rules, some.text("oubb- ", max_size=60))
def test_nothing_recovers_that_was_not_down_and_nothing_goes_down_twice(rule: Conditions, samples: str) -> None:
    fires, held = False, False
    for mark in run(rule, samples).replace(".", ""):
        assert fires == (mark != "O")
        assert held == (mark in "HC") or mark in "OCLW"
        fires, held = mark != "C", mark == "L"


@given(rules, some.text("ou", min_size=1, max_size=60))
def test_what_opens_was_over_for_long_enough_and_what_clears_was_not(rule: Conditions, samples: str) -> None:
    rule = rule._replace(n=None)
    for place, mark in enumerate(run(rule, samples)):
        if mark in "OC":
            steps = -(-int(rule.for_sec if mark == "O" else rule.clear_for_sec) // 10)
            assert set(samples[place - steps : place + 1]) == {"o" if mark == "O" else "u"}


@given(rules, some.text("oub", max_size=40))
def test_what_stands_says_all_there_is_to_know(rule: Conditions, samples: str) -> None:
    """A worker that is started anew has what stands, and no other memory."""
    stood: Stood | None = None
    for place, sample in enumerate(samples):
        stood, _event = machine.step(rule, stood, seen(place, sample))
        if stood is None:
            rest = samples[place + 1 :]
            assert run(rule, samples)[place + 1 :] == run(rule, rest)


def test_another_reason_why_nothing_is_known_is_told_once_and_forgotten_with_data() -> None:
    stood, _opens = machine.step(Conditions(), None, seen(0, "o"))
    told = []
    for place, count in enumerate((630, 640, None, None, 650), 1):
        facts = {"noData": {"why": "table cut", "processes": count}} if count else {}
        stood, event = machine.step(Conditions(), stood, seen(place, "-", None, **facts))
        told.append(event and event.kind)
    assert told == [LOST, None, LOST, None, LOST]
    assert stood is not None
    assert (stood.at, stood.facts) == (at(1), {"noData": {"why": "table cut", "processes": 650}})
    stood, event = machine.step(Conditions(), stood, seen(9, "o"))
    assert event is not None
    assert event.kind == HEARD
    assert stood is not None
    assert stood.facts == {}
