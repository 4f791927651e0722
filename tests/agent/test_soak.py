"""The agent's memory over a long run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.agent.as_installed import memory_settings

ROOT = Path(__file__).parents[2]
COLLECTIONS = 20_000
MARGIN_KB = 2100  # what malloc takes from the system at once is a huge page, 2 MB: one more or less is no leak


def test_its_memory_is_flat(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.agent.soak", str(COLLECTIONS), str(tmp_path)]
    environment = {**os.environ, **memory_settings()}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    sizes = [int(size) for size in done.stdout.split()]
    assert len(sizes) == 10
    # The least of some: what Python has freed and not yet given back comes and goes.
    assert min(sizes[-3:]) <= min(sizes[:3]) + MARGIN_KB
