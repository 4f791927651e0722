"""What the agent's unit says of the process, for agents that run without one."""

from __future__ import annotations

from pathlib import Path

UNIT = Path(__file__).parents[2] / "agent" / "pmonitor-agent.service"


def memory_settings() -> dict[str, str]:
    """The unit's environment but for where its state is."""
    lines = [line.partition("=") for line in UNIT.read_text().splitlines()]
    pairs = [pair.partition("=") for name, _, value in lines if name == "Environment" for pair in value.split()]
    return {name: value for name, _, value in pairs if name != "STATE_DIR"}
