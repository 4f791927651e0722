"""Many random runs: `python -m tests.faults [--runs N] [--seed S]`; the seed makes them the same again."""

from __future__ import annotations

import argparse
import os
import random
import sys

import pytest


def main() -> int:
    """Pytest's exit code; how the commands of all runs ended is printed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    given = parser.parse_args()
    os.environ |= {"FAULT_RUNS": str(given.runs), "FAULT_SEED": str(given.seed)}
    print(f"{given.runs} runs from seed {given.seed}")
    return pytest.main(["-q", "-s", "tests/faults"])


if __name__ == "__main__":
    sys.exit(main())
