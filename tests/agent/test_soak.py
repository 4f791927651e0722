"""The agent's memory over a long run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COLLECTIONS = 20_000
MARGIN_KB = 1100  # what Python takes from the system at once is 1 MB: one such piece more or less is no leak


def test_its_memory_is_flat(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.agent.soak", str(COLLECTIONS), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    sizes = [int(size) for size in done.stdout.split()]
    assert len(sizes) == 10
    # The least of some: what Python has freed and not yet given back comes and goes.
    assert min(sizes[-3:]) <= min(sizes[:3]) + MARGIN_KB
