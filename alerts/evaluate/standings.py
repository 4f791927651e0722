"""What rules have seen so far, as it is kept: read at the begin of a round, what changed is written at its end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from alerts.evaluate import machine
from alerts.evaluate.found import Seen
from alerts.evaluate.machine import Conditions, Event, Stood
from alerts.models import Rule, Standing
from pmonitor.rows import fetched
from servers.models import HubAbsence

Key = tuple[int, int, str]  # rule, server, subject
COLUMNS = ("phase", "since", "at", "clear_since", "value")  # those that a row and the machine's standing have alike
DROP = """DELETE FROM alerts_standing USING unnest(%(rules)s::bigint[], %(servers)s::bigint[], %(subjects)s::text[])
    AS gone (rule, server, subject)
    WHERE rule_id = gone.rule AND server_id = gone.server AND alerts_standing.subject = gone.subject RETURNING id"""
# A server that was deleted meanwhile has nothing that stands.
WRITE = """INSERT INTO alerts_standing
    (rule_id, server_id, subject, version, phase, since, at, clear_since, recent, value, facts)
SELECT rule, server, now.subject, version, phase, since, at, clear_since, recent::jsonb, value, facts::jsonb
FROM unnest(%(rules)s::bigint[], %(servers)s::bigint[], %(subjects)s::text[], %(versions)s::int[], %(phase)s::text[],
    %(since)s::timestamptz[], %(at)s::timestamptz[], %(clear_since)s::timestamptz[], %(recent)s::text[],
    %(value)s::float8[], %(facts)s::text[])
    AS now (rule, server, subject, version, phase, since, at, clear_since, recent, value, facts)
JOIN servers_server ON servers_server.id = server
ON CONFLICT (rule_id, server_id, subject) DO UPDATE SET version = excluded.version, phase = excluded.phase,
    since = excluded.since, at = excluded.at, clear_since = excluded.clear_since, recent = excluded.recent,
    value = excluded.value, facts = excluded.facts
RETURNING id"""


class Ledger:
    """What stands of some rules, and in `events` what happened to it, in the order of each subject's time."""

    def __init__(
        self, rules: Mapping[int, Rule], conditions: Mapping[int, Conditions], rows: Iterable[Standing]
    ) -> None:
        self.events: list[tuple[Key, Event]] = []
        self._rules, self._conditions = rules, conditions
        self._rows: dict[Key, Standing] = {(row.rule_id, row.server_id, row.subject): row for row in rows}
        self._now: dict[Key, Stood | None] = {}

    def __contains__(self, key: Key) -> bool:
        return self._at(key) is not None

    def standings(self) -> list[Standing]:
        """The rows of what stands, as it stands now."""
        return [row for key, row in self._rows.items() if self._now.get(key, row) is not None]

    def see(self, seen: Seen) -> None:
        """Take a sample into account."""
        key = (seen.rule, seen.server, seen.subject)
        if seen.value is not None:
            seen = seen._replace(value=float(seen.value))  # counts are whole: no list of both kinds can be written
        before = self._at(key)
        stood, event = machine.step(self._conditions[seen.rule], before, seen)
        if stood != before:
            self._put(key, stood)
        if event:
            self.events.append((key, event))

    def begin(self, aimed: Mapping[int, frozenset[int]], absences: Iterable[HubAbsence], now: datetime) -> None:
        """What stands at the begin of a round, now: of no server out of scope, of no other version of the rule.

        aimed: the servers of each rule.
        """
        ends = [absence.end for absence in absences]
        for key, row in list(self._rows.items()):
            if key[1] in aimed[key[0]]:
                self._begin(key, row, max((end for end in ends if row.at < end <= now), default=None), now)
            else:
                event = machine.ended(_stood(row), now)
                self.events += [(key, event)] if event else []
                self._put(key, None)

    def _begin(self, key: Key, row: Standing, away_until: datetime | None, now: datetime) -> None:
        before = _stood(row)
        stood: Stood | None = before
        changed = row.version != self._rules[row.rule_id].version
        if row.at > now:  # the hub's clock was set back since
            clear_since = min(before.clear_since, now) if before.clear_since else None
            stood = before._replace(at=now, since=min(before.since, now), clear_since=clear_since)
        if changed or away_until is not None:
            stood = machine.interrupted((stood or before)._replace(at=away_until or row.at))
        if changed or stood != before:
            self._put(key, stood)

    def save(self) -> None:
        """Write what changed: one statement for what is well again, one for the rest."""
        dropped = [key for key, stood in self._now.items() if stood is None and key in self._rows]
        if dropped:
            fetched(DROP, _keys(dropped))
        kept = [(key, stood) for key, stood in self._now.items() if stood is not None]
        if kept:
            values: dict[str, Any] = {name: [getattr(stood, name) for _key, stood in kept] for name in COLUMNS}
            versions = [self._rules[key[0]].version for key, _stood in kept]
            facts = {name: [_json(getattr(stood, name)) for _key, stood in kept] for name in ("recent", "facts")}
            fetched(WRITE, values | facts | {"versions": versions} | _keys([key for key, _stood in kept]))

    def _at(self, key: Key) -> Stood | None:
        if key in self._now:
            return self._now[key]
        return _stood(self._rows[key]) if key in self._rows else None

    def _put(self, key: Key, stood: Stood | None) -> None:
        self._now[key] = stood
        if stood is not None and key in self._rows:
            for name in COLUMNS:
                setattr(self._rows[key], name, getattr(stood, name))


def _stood(row: Standing) -> Stood:
    return Stood(row.phase, row.since, row.at, row.clear_since, tuple(row.recent), row.value, row.facts)


def _keys(keys: list[Key]) -> dict[str, list[Any]]:
    rules, servers, subjects = zip(*keys, strict=True)
    return {"rules": list(rules), "servers": list(servers), "subjects": list(subjects)}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
