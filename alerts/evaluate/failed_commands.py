"""Finds commands that failed, or of which nobody knows how they ended; a rule's own remedies, too."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from actions import states
from alerts.evaluate import conditions, moments
from alerts.evaluate.found import Aim, Seen, Stretch
from alerts.models import Standing
from pmonitor.rows import fetched

BAD = (states.FAILED, states.UNKNOWN)
LATE = timedelta(seconds=30)  # an entry is committed so long after its time at the most; shorter than any window
# When a command ended so, the audit trail tells. Of what stands, every time within the window; of the rest, new ones.
ENDED = """SELECT command.server_id, command.target, entry.at, command.cmd, command.uuid::text, command.verdict,
    command.asked_by_name
FROM actions_auditentry AS entry JOIN actions_command AS command ON command.id = entry.command_id
WHERE entry.at > %(new)s AND entry.to_state = command.state AND command.state = ANY(%(bad)s)
UNION SELECT command.server_id, command.target, entry.at, command.cmd, command.uuid::text, command.verdict,
    command.asked_by_name
FROM unnest(%(servers)s::bigint[], %(targets)s::text[]) AS standing (server, target)
JOIN actions_command AS command ON command.server_id = standing.server AND command.target = standing.target
JOIN actions_auditentry AS entry ON entry.command_id = command.id
WHERE entry.at > %(start)s AND entry.to_state = command.state AND command.state = ANY(%(bad)s)
ORDER BY at"""

Subject = tuple[int, str]  # server, target


def find(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Iterable[Seen]:
    """Targets of commands that ended badly within the rule's window; one that was settled well since is well."""
    within = {aim.rule.pk: conditions.params(aim.rule).within_sec for aim in aims}
    standing = {(row.rule_id, row.server_id, row.subject) for row in standings}
    times, facts = _ended(
        max(within.values()), stretch, sorted({(server, target) for _rule, server, target in standing})
    )
    for aim in aims:
        servers = set(aim.servers)
        those = {subject for subject in times if subject[0] in servers}
        those |= {(server, target) for rule, server, target in standing if rule == aim.rule.pk}
        for subject in those:
            found = moments.levels(times.get(subject, []), within[aim.rule.pk], stretch)
            if (aim.rule.pk, *subject) in standing:
                found = moments.or_well(found, stretch.until)
            for at, level in found:
                yield Seen(aim.rule.pk, *subject, at, level, None, facts.get(subject, {}))


def _ended(
    within_sec: int, stretch: Stretch, standing: Sequence[Subject]
) -> tuple[dict[Subject, list[datetime]], dict[Subject, dict[str, Any]]]:
    """When commands on each target ended so, and what is to be said of the last of them."""
    values = {
        "new": stretch.after - LATE,
        "start": stretch.after - timedelta(seconds=within_sec) - LATE,
        "bad": list(BAD),
        "servers": [server for server, _target in standing],
        "targets": [target for _server, target in standing],
    }
    times: dict[Subject, list[datetime]] = defaultdict(list)
    facts: dict[Subject, dict[str, Any]] = {}
    for server, target, at, cmd, command, verdict, by in fetched(ENDED, values):
        times[server, target].append(at)
        facts[server, target] = {"cmd": cmd, "command": command, "verdict": verdict, "by": by}
    return times, facts
