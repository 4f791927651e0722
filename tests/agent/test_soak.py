"""The agent's memory over a long run: a tenth of it shows what the whole takes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COLLECTIONS = 20_000
MARGIN_KB = 512


def test_its_memory_is_flat(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.agent.soak", str(COLLECTIONS), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    early, late = map(int, done.stdout.split())
    assert early > 5_000
    assert late <= early + MARGIN_KB
