"""What processes added to a rise: the engine on tables, without a database, from raw tables and chunks alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers.chunks import write
from servers.chunks.read import Chunk
from servers.chunks.samples import Sample
from servers.spike import CPU, MEM, Explained, Host, Key, Stretch, explain
from servers.spike_samples import Read, of_chunk, of_raw, runs_of
from servers.wire import Proc
from tests.servers.samples import T0, histories, proc, sampled

STEP = timedelta(seconds=10)
UNKNOWN = Host(None, None)


def read(
    samples: Sequence[Sample], start: datetime, metric: str = CPU, boots: Sequence[datetime] = (), packed: bool = False
) -> Read:
    """The samples up to the start against those from there on."""
    found = Read(Stretch(), Stretch(), {})
    runs = runs_of(found, T0, start, T0 + 1000 * STEP, boots)
    if packed:
        of_chunk(Chunk(write.encode(samples)), metric, runs, found.whats)
    else:
        of_raw(samples, metric, runs, found.whats)
    return found


def explained(
    before: list[list[Proc]], now: list[list[Proc]], host: Host = UNKNOWN, metric: str = CPU, boot: bool = False
) -> Explained:
    """These tables against those, which they follow; boot: with one between them."""
    start = T0 + len(before) * STEP
    found = read(whole([*before, *now]), start, metric, [start] if boot else [])
    return explain(metric, found.before, found.now, found.whats, host)


def whole(tables: list[list[Proc]]) -> list[Sample]:
    """Samples that leave nothing out."""
    return [sample._replace(total=len(sample.table.stays)) for sample in sampled(tables)]


def changes(found: Explained) -> dict[str, float | None]:
    return {group.name: group.change for group in found.groups}


@given(histories(), st.integers(0, 6), st.sets(st.integers(0, 6)), st.sampled_from([CPU, MEM]))
def test_raw_tables_and_chunks_add_up_to_what_one_counts_by_hand(
    tables: list[list[Proc]], cut: int, boots: set[int], metric: str
) -> None:
    samples, start = sampled(tables), T0 + cut * STEP
    moments = sorted(T0 + number * STEP for number in boots)
    raw, chunk = (read(samples, start, metric, moments, packed) for packed in (False, True))
    for name in ("before", "now"):
        mine = [sample for sample in samples if (sample.sampled_at < start) == (name == "before")]
        values: dict[Key, list[float | None]] = {}
        times: dict[Key, list[datetime]] = {}
        for sample in mine:
            boot = sum(moment <= sample.sampled_at for moment in moments)
            for one in tables[samples.index(sample)]:
                key = Key(boot, one.pid, one.start_ticks)
                values.setdefault(key, []).append(one.cpu if metric == CPU else one.mem_mb)
                times.setdefault(key, []).append(sample.sampled_at)
        for found in (raw, chunk):
            stretch: Stretch = getattr(found, name)
            assert stretch.samples == len(mine)
            assert stretch.cut == len(mine)  # `sampled` says three more than there are
            assert stretch.most == max((sample.total for sample in mine), default=0)
            assert stretch.uses.keys() == values.keys()
            for key, use in stretch.uses.items():
                known = [value for value in values[key] if value is not None]
                assert use.total == pytest.approx(sum(known))
                assert (use.known, use.unknown) == (len(known), len(values[key]) - len(known))
                assert (use.first, use.last) == (times[key][0], times[key][-1])


@given(histories(), st.integers(0, 6), st.sampled_from([CPU, MEM]))
def test_parts_of_a_rise_are_ranked_and_add_up(tables: list[list[Proc]], cut: int, metric: str) -> None:
    found = explained(tables[:cut], tables[cut:], metric=metric)
    ranked = [group.change for group in found.groups if group.change is not None]
    assert ranked == sorted(ranked, reverse=True)
    assert sum(len(group.parts) for group in found.groups) == len(found.before.uses | found.now.uses)
    for group in found.groups:
        known = [part.change for part in group.parts if part.known and part.change is not None]
        assert group.change == (pytest.approx(sum(known), abs=1e-3) if known else None)


def test_a_mean_is_over_all_samples_of_its_stretch() -> None:
    found = explained([[proc(1, cpu=10.0)], []], [[proc(1, cpu=30.0)], [proc(1, cpu=50.0)]])
    (group,) = found.groups
    assert (group.before, group.now, group.change, found.added) == (5.0, 40.0, 35.0, 35.0)


def test_samples_that_tell_no_cpu_are_left_out_of_the_mean() -> None:
    (group,) = explained([[proc(1, cpu=10.0)]], [[proc(1, cpu=None)], [proc(1, cpu=50.0)]]).groups
    assert (group.now, group.change) == (50.0, 40.0)


def test_a_process_without_any_value_is_counted_as_not_known_and_not_summed() -> None:
    found = explained([[]], [[proc(1, cpu=None), proc(2, cpu=7.0)], [proc(2, cpu=7.0)]])
    (group,) = found.groups
    assert (found.unknown, group.change, len(group.parts)) == (1, 7.0, 2)


def test_new_and_gone_processes_are_told() -> None:
    found = explained([[proc(1), proc(2)]] * 2, [[proc(2), proc(3), proc(4)], [proc(3)]])
    parts = {part.key.pid: part for part in found.groups[0].parts}
    assert {pid: (part.new, part.gone) for pid, part in parts.items()} == {
        1: (False, True), 2: (False, True), 3: (True, False), 4: (True, True),
    }  # fmt: skip
    assert (found.groups[0].new, found.groups[0].gone) == (2, 3)
    assert (parts[2].first, parts[2].last) == (T0, T0 + 2 * STEP)


def test_processes_of_one_name_are_one_group_the_highest_first() -> None:
    workers = [proc(pid, name="php-fpm", cpu=float(pid)) for pid in range(1, 41)]
    found = explained([[proc(50, name="cron", cpu=9.0)]], [[*workers, proc(50, name="cron", cpu=1.0)]])
    assert changes(found) == {"php-fpm": 820.0, "cron": -8.0}
    assert [part.key.pid for part in found.groups[0].parts][:2] == [40, 39]


def test_a_pid_used_again_is_another_process() -> None:
    found = explained([[proc(7, name="a", cpu=40.0, start_ticks=1)]], [[proc(7, name="b", cpu=60.0, start_ticks=2)]])
    assert changes(found) == {"b": 60.0, "a": -40.0}


def test_after_a_boot_the_same_pid_and_ticks_are_another_process() -> None:
    tables = [[proc(1, cpu=40.0, start_ticks=5)]], [[proc(1, cpu=60.0, start_ticks=5)]]
    (same,) = explained(*tables).groups
    (other,) = explained(*tables, boot=True).groups
    assert ([part.change for part in same.parts], same.new) == ([20.0], 0)
    assert ([part.change for part in other.parts], other.new, other.gone) == ([60.0, -40.0], 1, 1)


def test_shares_are_of_what_the_server_rose_by() -> None:
    found = explained([[proc(1, cpu=10.0)]], [[proc(1, cpu=60.0)]], Host(20.0, 100.0))
    assert (found.rose, found.share(found.groups[0].change), found.explained) == (True, 62.5, 62.5)


def test_without_the_servers_reading_shares_are_of_what_processes_added() -> None:
    found = explained([[proc(1, name="a", cpu=0.0)]], [[proc(1, name="a", cpu=30.0), proc(2, name="b", cpu=10.0)]])
    assert [found.share(group.change) for group in found.groups] == [75.0, 25.0]
    assert found.explained is None


@pytest.mark.parametrize(("metric", "host"), [(CPU, Host(50.0, 54.9)), (MEM, Host(50.0, 59.9)), (CPU, Host(9.0, 1.0))])
def test_less_than_a_twentieth_of_a_core_or_ten_megabytes_is_no_rise(metric: str, host: Host) -> None:
    found = explained([[proc(1)]], [[proc(1, cpu=90.0, mem_mb=900.0)]], host, metric)
    assert (found.rose, found.share(found.groups[0].change), found.explained) == (False, None, None)


def test_memory_is_in_megabytes() -> None:
    found = explained([[proc(1, mem_mb=100.0)]], [[proc(1, mem_mb=350.5)]], Host(1000.0, 1250.5), MEM)
    assert (found.groups[0].change, found.explained) == (250.5, 100.0)


def test_of_an_unknown_stretch_before_nothing_is_said_of_changes() -> None:
    found = explained([], [[proc(1, name="a", cpu=1.0), proc(2, name="b", cpu=2.0)]])
    assert [(group.name, group.now, group.change, group.new) for group in found.groups] == [
        ("b", 2.0, None, 0),
        ("a", 1.0, None, 0),
    ]
    assert (found.rose, found.added) == (False, None)


def test_a_sample_that_leaves_processes_out_is_counted() -> None:
    samples = sampled([[proc(1)], [proc(1)], [proc(1)]])
    for packed in (False, True):
        found = read([samples[0]._replace(total=1), *samples[1:]], T0 + 2 * STEP, packed=packed)
        assert [(one.cut, one.most) for one in (found.before, found.now)] == [(1, 4), (1, 4)]


def test_nothing_is_known_of_nothing() -> None:
    found = explain(CPU, Stretch(), Stretch(), {}, UNKNOWN)
    assert (found.groups, found.rose, found.added, found.explained) == ([], False, None, None)
