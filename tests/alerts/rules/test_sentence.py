"""Rules in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import translation

from alerts.rules import kinds, sentence, wanted
from alerts.rules.wanted import Wanted
from tests.alerts.rules.making import FAILED, MEMORY, PROCESS

CPU = {"by": "user", "pattern": "www-data"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (MEMORY, "memory used above 90% for 5 min"),
        (MEMORY._replace(params={"metric": "cpu"}, for_sec=0), "CPU above 90%"),
        (MEMORY._replace(params={"metric": "mem", "below": True}), "memory used below 90% for 5 min"),
        (MEMORY._replace(k=3, n=5, for_sec=90), "memory used above 90% in 3 of the last 5 samples for 90 s"),
        (PROCESS, "process keepalived missing for 30 s"),
        (PROCESS._replace(limit=3), "fewer than 3 of: process keepalived for 30 s"),
        (FAILED, "nginx.service failed"),
        (FAILED._replace(params={"service": "*"}), "any service failed"),
        (FAILED._replace(remedy_cmd="restart"), "nginx.service failed; restarts it, 2 an hour at most"),
        (
            FAILED._replace(remedy_cmd="start", remedy_target="a.service", remedy_within_sec=1_800),
            "nginx.service failed; starts a.service, 2 in 30 min at most",
        ),
        (
            FAILED._replace(remedy_cmd="rollout", remedy_most=1, remedy_within_sec=86_400),
            "nginx.service failed; restarts it as a rollout, 1 a day at most",
        ),
        (Wanted("", kinds.SILENT, for_sec=60), "server silent for 1 min"),
        (Wanted("", kinds.DISK_USED, {"mount": "*"}, 90), "any disk used above 90%"),
        (Wanted("", kinds.DISK_FILLING, {"mount": "/var"}, 24), "disk /var full within 24 h"),
        (Wanted("", kinds.RESTARTED, {"withinSec": 600}, 3), "any service restarted 3 times within 10 min"),
        (Wanted("", kinds.READING, {"metric": "load1PerCpu"}, 0.75), "load average per processor above 0.75"),
        (Wanted("", kinds.READING, {"metric": "load1"}, 0.04), "load average, 1 min above 0.04"),
        (Wanted("", kinds.READING, {"metric": "netRxBps"}, 1_500_000.5), "received above 1,500,000.5 B/s"),
        (Wanted("", kinds.DISK_USED, {"mount": "*"}, 99.95), "any disk used above 99.95%"),
        (Wanted("", kinds.SKEW, {}, 0.25), "clock off by more than 0.25 s"),
        (Wanted("", kinds.SKEW, {}, 1e-7), "clock off by more than 0.0000001 s"),
        (Wanted("", kinds.RESTARTED, {"withinSec": 600}, 2.5), "any service restarted 2.5 times within 10 min"),
        (PROCESS._replace(kind=kinds.TOO_MANY, limit=10.5), "more than 10.5 of: process keepalived for 30 s"),
        (Wanted("", kinds.RESTARTED, {"withinSec": 600}, 1), "any service restarted 1 time within 10 min"),
        (Wanted("", kinds.PROCESS_CPU, CPU, 150), "process of user www-data above 150% CPU"),
        (
            Wanted("", kinds.PROCESS_MEMORY, {**CPU, "together": True}, 1_024),
            "processes of user www-data together above 1,024 MB of memory",
        ),
    ],
)
def test_a_rule_is_a_sentence(given: Wanted, said: str) -> None:
    assert sentence.whole(given) == said


@pytest.mark.parametrize("kind", kinds.KINDS)
@pytest.mark.parametrize("language", ["en", "ro"])
def test_every_kind_has_one(kind: str, language: str) -> None:
    with translation.override(language):
        said = sentence.whole(wanted.usual(kind)._replace(for_sec=300))
    assert said
    assert "%(" not in said


def test_what_would_act_on_the_page_is_a_sign() -> None:
    said = sentence.whole(FAILED._replace(params={"service": "a\u202eb"}, remedy_cmd="restart", remedy_target="x\ny"))
    assert said.isprintable()
    assert "\u202e" not in said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (45, "45 s"), (90, "90 s"), (300, "5 min"), (5_400, "90 min"), (86_400, "1 d"), (90_000, "25 h")],
)
def test_a_span_is_told_exactly(seconds: int, said: str) -> None:
    assert sentence.span(seconds) == said


@pytest.mark.parametrize(("scope", "said"), [("", "all servers"), ("  ", "all servers"), ("role=web", "role=web")])
def test_a_scope_is_told(scope: Any, said: str) -> None:
    assert sentence.where(scope) == said
