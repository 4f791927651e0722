"""Rules fire and clear at the very samples at which Prometheus's do, for the same series; see promtool.py for how.

One thing is meant to differ, and is put into Prometheus's expressions: missing data ends nothing that fires.
"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from alerts.evaluate import machine
from alerts.evaluate.conditions import single
from alerts.evaluate.found import Seen
from alerts.evaluate.machine import Conditions, Stood
from alerts.evaluate.readings import Watched
from alerts.models import Rule
from tests.alerts import promtool
from tests.alerts.pairs import a_pair
from tests.alerts.promtool import STEP, Asked, Series

PAIRS = 600
START = datetime(2026, 1, 1, tzinfo=UTC)
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus is not installed")


def ours(asked: Asked, series: Series) -> list[bool]:
    """At each step whether it fires."""
    rule = Rule(pk=1, kind="reading", limit=asked.limit)
    clear = asked.limit if asked.clear is None else asked.clear
    one = Watched(rule, [], "cpu", asked.below, single(asked.limit), single(clear))
    conditions = Conditions(asked.for_sec, asked.clear_for_sec, asked.k, asked.n, asked.below, gap_sec=3 * STEP)
    stood: Stood | None = None
    fires = []
    for place, value in enumerate(series):
        if value is not None:
            seen: Seen = one.seen(1, START + timedelta(seconds=place * STEP), single(value))
            stood, _event = machine.step(conditions, stood, seen)
        fires.append(stood is not None and stood.phase in machine.LIVE)
    return fires


@needs_promtool
def test_rules_fire_and_clear_at_the_samples_at_which_prometheus_does(tmp_path: Path) -> None:
    chance = Random(8)
    pairs = {number: a_pair(chance) for number in range(PAIRS)}
    fires = {number: ours(asked, series) for number, (asked, series) in pairs.items()}
    changes = sum(a != b for fired in fires.values() for a, b in pairwise(fired))
    assert changes > 2 * PAIRS  # that there is something to agree about
    assert promtool.disagrees(tmp_path, pairs, fires) == ""


@needs_promtool
def test_the_oracle_notices_a_single_sample(tmp_path: Path) -> None:
    pair = (Asked(limit=90, for_sec=20), [95.0] * 5 + [80.0] * 3)
    fires = ours(*pair)
    assert fires == [False, False, True, True, True, False, False, False]
    assert promtool.disagrees(tmp_path, {0: pair}, {0: fires}) == ""
    late = [False, False, False, True, True, False, False, False]
    assert "ALERTS" in promtool.disagrees(tmp_path, {0: pair}, {0: late})
