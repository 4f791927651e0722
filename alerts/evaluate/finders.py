"""Who finds the subjects of which kind of rule: a table. Of a kind that is missing here rounds say that they fail."""

from __future__ import annotations

from alerts.evaluate import agents, failed_commands, readings, server_states
from alerts.evaluate.found import Finder
from alerts.rules import kinds

FINDERS: dict[str, Finder] = {
    kinds.READING: readings.find,
    kinds.SILENT: server_states.silent,
    kinds.REBOOTED: server_states.rebooted,
    kinds.SKEW: agents.off_clocks,
    kinds.OUTDATED: agents.outdated,
    kinds.COMMAND_FAILED: failed_commands.find,
}
