"""Prometheus as an oracle for rules: which of many alerts fire at each moment, asked of `promtool test rules`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

STEP = 10  # seconds between two samples, and two evaluations
Series = Sequence[float | None]  # None: there is no sample
END = "stale"  # what a series' end looks like to Prometheus: a target that does not answer


class Asked(NamedTuple):
    """A rule about a series; the levels None: as the limit, at once, this sample."""

    limit: float
    below: bool = False
    clear: float | None = None
    for_sec: int = 0
    clear_for_sec: int = 0
    k: int | None = None
    n: int | None = None

    def expression(self, number: int, with_gaps: bool) -> str:
        """For Prometheus: what fires stays until it is under the clear level, and while there is no sample."""
        series, sign = f'm{{s="{number}"}}', "<" if self.below else ">"
        firing = f'max by (s) (ALERTS{{alertname="a{number}",alertstate="firing"}})'
        over = f"{series} {sign} {self.limit!r}"
        if self.n is not None:
            # The window is closed at both ends in this version: n samples are n - 1 steps apart.
            over = f"sum_over_time(({series} {sign} bool {self.limit!r})[{(self.n - 1) * STEP}s:{STEP}s]) >= {self.k}"
        clear = self.limit if self.clear is None else self.clear
        stays = f" or ({series} {sign} {clear!r} and on (s) {firing})"
        return f"({over}){stays}{f' or ({firing} unless on (s) {series})' if with_gaps else ''}"


def disagrees(folder: Path, pairs: Mapping[int, tuple[Asked, Series]], fires: Mapping[int, Sequence[bool]]) -> str:
    """What Prometheus says otherwise about when each pair fires; empty: nothing."""
    steps = max(len(series) for _asked, series in pairs.values())
    tests = [{"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{t * STEP}s", "exp_samples": [
        {"labels": f'ALERTS{{alertname="a{number}",alertstate="firing",s="{number}"}}', "value": 1}
        for number, fired in sorted(fires.items()) if fired[t]
    ]} for t in range(steps)]  # fmt: skip
    inputs = [{"series": f'm{{s="{number}"}}', "values": _written(series)} for number, (_a, series) in pairs.items()]
    about = {
        "rule_files": ["rules.json"],
        "evaluation_interval": f"{STEP}s",
        "tests": [{"interval": f"{STEP}s", "input_series": inputs, "promql_expr_test": tests}],
    }
    groups = [
        {"name": f"g{number}", "rules": [_rule(number, asked, None in series)]}
        for number, (asked, series) in pairs.items()
    ]
    (folder / "rules.json").write_text(json.dumps({"groups": groups}))  # JSON is YAML
    (folder / "tests.json").write_text(json.dumps(about))
    run = subprocess.run(["promtool", "test", "rules", "tests.json"], cwd=folder, capture_output=True, text=True)
    return "" if run.returncode == 0 else (run.stdout + run.stderr) or f"exit status {run.returncode}"


def _rule(number: int, asked: Asked, with_gaps: bool) -> dict[str, Any]:
    return {
        "alert": f"a{number}",
        "expr": asked.expression(number, with_gaps),
        "for": f"{asked.for_sec}s",
        "keep_firing_for": f"{asked.clear_for_sec}s",
    }


def _written(series: Series) -> str:
    words = []
    for place, value in enumerate(series):
        ends = value is None and place > 0 and series[place - 1] is not None
        words.append(END if ends else "_" if value is None else repr(value))
    return " ".join(words)
