"""Which servers go in which batch, and in what order: for any servers and sizes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.rollouts import gate, plan, states

SIZES = st.one_of(st.integers(1, 9999).map(str), st.integers(1, 100).map("{}%".format))
NAMES = st.lists(st.tuples(st.text(max_size=12), st.text(min_size=1, max_size=8)), unique_by=lambda pair: pair[1])


@given(st.lists(st.integers()), SIZES)
def test_batches_keep_every_item_in_order(items: list[int], size: str) -> None:
    cut = plan.batches(items, size)
    assert [item for batch in cut for item in batch] == items
    assert all(cut)
    assert all(len(batch) == len(cut[0]) for batch in cut[:-1])
    assert not cut or len(cut[-1]) <= len(cut[0]) <= plan.size_of(size, len(items))


@given(st.integers(1, 100), st.integers(1, 2000))
def test_a_share_is_never_exceeded_except_by_the_one_it_must_be(share: int, total: int) -> None:
    size = plan.size_of(f"{share}%", total)
    assert size == 1 or size * 100 <= share * total
    assert (size + 1) * 100 > share * total


@pytest.mark.parametrize(("size", "total", "at_a_time"), [("1", 24, 1), ("4", 24, 4), ("25%", 24, 6), ("10%", 24, 2)])
def test_sizes(size: str, total: int, at_a_time: int) -> None:
    assert plan.size_of(size, total) == at_a_time


@pytest.mark.parametrize("wrong", ["", "0", "0%", "101%", "-1", "1.5", "ten", "25 %", "%", "1e3", "٣", "10000"])
def test_what_is_no_size(wrong: str) -> None:
    assert not plan.is_batch_size(wrong)
    with pytest.raises(ValueError, match="no batch size"):
        plan.size_of(wrong, 10) if not wrong.endswith("%") or wrong == "%" else plan.size_of("", 10)


@given(NAMES, st.sampled_from(states.ORDERS), st.integers(0, 99))
def test_an_order_keeps_every_server_and_is_the_same_again(names: list[tuple[str, str]], order: str, seed: int) -> None:
    agents = [agent for _host, agent in names]
    once = plan.ordered(names, order, agents, seed)
    assert sorted(once) == sorted(agents)
    assert once == plan.ordered(names[::-1], order, agents, seed)


def test_by_name_counts_numbers_as_numbers() -> None:
    names = [("web-10", "c"), ("web-2", "b"), ("Web-1", "a")]
    assert plan.ordered(names, states.BY_NAME) == ["a", "b", "c"]


def test_as_listed_keeps_what_was_given_and_adds_the_rest_by_name() -> None:
    names = [("a", "a"), ("b", "b"), ("c", "c"), ("d", "d")]
    assert plan.ordered(names, states.AS_LISTED, ["d", "b"]) == ["d", "b", "a", "c"]


def test_another_seed_mixes_differently() -> None:
    names = [(str(number), str(number)) for number in range(30)]
    assert plan.ordered(names, states.SHUFFLED, seed=1) != plan.ordered(names, states.SHUFFLED, seed=2)


# The gate

ENDED = datetime(2026, 11, 22, 13, 58, 46, tzinfo=UTC)
LATER, EARLIER = ENDED + timedelta(seconds=9), ENDED - timedelta(seconds=9)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (gate.Seen("active", 456, LATER, silent=False), None),
        (gate.Seen("failed", None, LATER, silent=False), "did_not_hold"),
        (gate.Seen("active", 789, LATER, silent=False), "main_process_changed"),
        (gate.Seen("active", 456, LATER, silent=True), "fell_silent"),
        (gate.Seen("failed", None, EARLIER, silent=False), None),  # listed before the command ended
        (gate.Seen("failed", None, None, silent=False), None),
        (gate.Seen("reloading", 456, LATER, silent=False), None),
    ],
)
def test_what_contradicts_a_success(seen: gate.Seen, said: str | None) -> None:
    found = gate.contradiction({"activeState": "active", "mainPid": 456}, ENDED, seen)
    assert (found and found[0]) == said


def test_without_evidence_only_silence_contradicts() -> None:
    assert gate.contradiction({}, ENDED, gate.Seen("failed", None, LATER, silent=False)) is None
