"""Who finds the subjects of which kind of rule: a table. Of a kind that is missing here rounds say that they fail."""

from __future__ import annotations

from collections.abc import Iterable

from alerts.evaluate import (
    agents,
    disks,
    failed_commands,
    processes,
    readings,
    server_states,
    service_states,
    service_times,
)
from alerts.evaluate.found import Finder
from alerts.rules import kinds

FINDERS: dict[str, Finder] = {
    kinds.READING: readings.find,
    kinds.SILENT: server_states.silent,
    kinds.REBOOTED: server_states.rebooted,
    kinds.SKEW: agents.off_clocks,
    kinds.OUTDATED: agents.outdated,
    kinds.COMMAND_FAILED: failed_commands.find,
    **disks.FINDERS,
    **processes.FINDERS,
    **service_states.FINDERS,
    **service_times.FINDERS,
}


def together(kinds_wanted: Iterable[str]) -> list[tuple[str, ...]]:
    """These kinds, those of one finder together: it is asked once for all of them."""
    found: dict[Finder, list[str]] = {}
    for kind in sorted(kinds_wanted):
        found.setdefault(FINDERS[kind], []).append(kind)
    return [tuple(those) for those in found.values()]
