"""The real hub and the real agent under random faults: a bounded number of runs; `python -m tests.faults` for more."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from servers import partitions
from tests.faults.machine import SEEN, Faults
from tests.faults.world import EPOCH, HOUR

RUNS = int(os.environ.get("FAULT_RUNS", "40"))
SEED = os.environ.get("FAULT_SEED", "")
STEPS = 30


@pytest.mark.django_db
def test_no_fault_makes_a_command_run_twice_or_late_or_vanish_or_lie() -> None:
    """The same runs each time, unless FAULT_SEED asks for others."""
    chosen = settings(
        max_examples=RUNS, stateful_step_count=STEPS, deadline=None, database=None, derandomize=not SEED,
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    logging.disable()
    for hours in range(-9, 11):  # made once: what a run makes is rolled back
        partitions.ensure(datetime.fromtimestamp(EPOCH + hours * HOUR, UTC))
    machine = seed(int(SEED))(Faults) if SEED else Faults
    try:
        run_state_machine_as_test(machine, settings=chosen)
    finally:
        logging.disable(logging.NOTSET)
    assert sum(SEEN.values()) > RUNS, "the runs asked for too little to prove anything"
    sys.stdout.writelines(f"{count:6} {' '.join(map(str, what))}\n" for what, count in SEEN.most_common())
