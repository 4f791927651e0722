"""The same rules and series as in test_machine_prometheus.py, through the database: reports, rounds, incidents."""

from __future__ import annotations

import shutil
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from alerts.incidents import flapping
from alerts.models import Incident
from servers.models import Server
from tests.alerts import promtool
from tests.alerts.pairs import a_pair
from tests.alerts.promtool import STEP, Asked, Series
from tests.alerts.reporting import a_rule, evaluate, recently, report, servers_named

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not shutil.which("promtool"), reason="Prometheus is not installed"),
]
PAIRS = 40


@pytest.fixture(autouse=True)
def _nothing_flaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prometheus knows nothing of subjects that come and go."""
    monkeypatch.setattr(flapping, "TIMES", 1000)


Pairs = dict[int, tuple[Asked, Series]]


def made(pairs: Pairs) -> list[Server]:
    """A server for each pair, and its rule for that server alone; half of the rules are about the whole other value."""
    servers = servers_named([f"pair-{number}" for number in pairs])
    for number, (asked, _series) in pairs.items():
        a_rule(
            name=f"a{number}",
            scope=f"pair-{number}",
            params={"metric": "cpu", "below": asked.below},
            limit=asked.limit,
            clear_limit=asked.clear,
            for_sec=asked.for_sec,
            clear_for_sec=asked.clear_for_sec,
            k=asked.k,
            n=asked.n,
        )
    return servers


def run(pairs: Pairs, every: int, start: datetime) -> dict[int, list[bool]]:
    """All series reported sample by sample, a round after every so many; when which one fired, as its incidents say."""
    servers = made(pairs)
    steps = len(pairs[0][1])
    for place in range(steps):
        at = start + timedelta(seconds=place * STEP)
        values = {servers[number]: series[place] for number, (_asked, series) in pairs.items()}
        report({server: value for server, value in values.items() if value is not None}, at)
        if place % every == every - 1:
            evaluate(at)
    fires = {number: [False] * steps for number in pairs}
    for one in Incident.objects.all():
        first = round((one.opened_at - start).total_seconds()) // STEP
        last = steps if one.closed_at is None else round((one.closed_at - start).total_seconds()) // STEP
        fires[int(one.rule_name[1:])][first:last] = [True] * (last - first)
    return fires


@pytest.mark.parametrize("every", [1, 5], ids=["each sample in a round", "five samples in a round"])
def test_incidents_open_and_close_at_the_samples_at_which_prometheus_does(tmp_path: Path, every: int) -> None:
    chance = Random(every)
    pairs = {number: a_pair(chance) for number in range(PAIRS)}
    fires = run(pairs, every, recently())
    assert sum(map(sum, fires.values())) > PAIRS
    assert promtool.disagrees(tmp_path, pairs, fires) == ""
