"""Finds readings over their limits: all rules of this kind in one statement.

A reading whose limit is a lower one is looked at with its sign turned. So in SQL every rule is a column of the fresh
samples, and a limit that it must not be greater than; as limits are compared in the four bytes that readings are kept
in, a value on the limit is not over it. The least limit of a column is tried first: where all is well, what a round
costs is the reading of the samples, whatever the number of rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Any, NamedTuple

from psycopg import sql

from alerts.evaluate import conditions
from alerts.evaluate.conditions import single
from alerts.evaluate.found import BETWEEN, NO_DATA, OVER, UNDER, Aim, Seen, Stretch
from alerts.models import Rule, Standing
from alerts.rules import kinds
from pmonitor.rows import fetched
from servers import states
from servers.history import HOST_READINGS
from servers.models import Server

# OFFSET keeps a server's samples a look-up of their own: of the newest samples PostgreSQL has no statistics yet, takes
# them for none, and would read the whole day. first and last are for leaving out other days' partitions.
# What each rule is asked of: the servers over its limit in any fresh sample, and those of which something stands.
FIND = """
WITH fresh AS MATERIALIZED (
    SELECT look.server, reading.sampled_at AS at, {columns}
    FROM unnest(%(servers)s::bigint[], %(afters)s::timestamptz[], %(untils)s::timestamptz[])
        AS look (server, after, until)
    {cpus}
    CROSS JOIN LATERAL (
        SELECT * FROM {readings} WHERE server_id = look.server AND sampled_at > look.after AND sampled_at <= look.until
            AND sampled_at > %(first)s AND sampled_at <= %(last)s OFFSET 0
    ) AS reading
), asked AS MATERIALIZED (
    SELECT * FROM unnest(%(rules)s::bigint[], %(places)s::int[], %(limits)s::real[], %(scopes)s::int[])
        AS asked (rule, place, most, scope)
), meant AS MATERIALIZED (
    SELECT * FROM unnest(%(scope_of)s::int[], %(meant)s::bigint[]) AS meant (scope, server)
), hot (rule, server) AS ({over}
    UNION SELECT * FROM unnest(%(standing)s::bigint[], %(standing_on)s::bigint[])
)
SELECT hot.rule, fresh.server, fresh.at, CASE asked.place {value} END
FROM hot JOIN asked USING (rule) JOIN fresh USING (server) ORDER BY fresh.at
"""
OVER_ONE = """
    SELECT rule, server FROM fresh JOIN asked ON place = {place} AND fresh.{column} > most
    WHERE fresh.{column} > {least}::real AND (scope IS NULL OR (scope, server) IN (SELECT scope, server FROM meant))"""
CPUS = """LEFT JOIN LATERAL (SELECT (facts->>'cpuCount')::real AS cpus FROM servers_newest
    WHERE server_id = look.server) AS newest ON true"""


class Watched(NamedTuple):
    """A rule about a reading: its metric and limits, in the four bytes that readings are kept in."""

    rule: Rule
    servers: Sequence[int]
    metric: str
    below: bool
    limit: float
    clear: float

    @property
    def facts(self) -> dict[str, Any]:
        """What the sentence of its incident names."""
        return {"metric": self.metric, "below": self.below, "limit": self.rule.limit}

    def seen(self, server: int, at: Any, value: float | None) -> Seen:
        """How a server stands at a sample."""
        return Seen(self.rule.pk, server, "", at, self.level(value), value, self.facts)

    def level(self, value: float | None) -> str:
        """Of a value; it is between where it is not over the limit, but over the clear level."""
        if value is None:
            return NO_DATA
        kept, sign = single(value), -1 if self.below else 1
        if sign * kept > sign * self.limit:
            return OVER
        return BETWEEN if sign * kept > sign * self.clear else UNDER


def watched(aim: Aim) -> Watched:
    """A rule as this kind looks at it. Raises msgspec.ValidationError."""
    asked: kinds.Reading = conditions.params(aim.rule)
    limit = conditions.limit(aim.rule)
    clear = limit if aim.rule.clear_limit is None else aim.rule.clear_limit
    return Watched(aim.rule, aim.servers, asked.metric, asked.below, single(limit), single(clear))


def find(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Iterable[Seen]:
    """Samples of servers that are over or of which something stands; NO_DATA of those that fell silent."""
    rules = {one.rule.pk: one for one in map(watched, aims)}
    yield from _silent(rules, stretch, standings)
    if stretch.fresh:
        for rule, server, at, value in fetched(*_statement(list(rules.values()), stretch, standings)):
            yield rules[rule].seen(server, at, value)


def _silent(rules: dict[int, Watched], stretch: Stretch, standings: Sequence[Standing]) -> Iterator[Seen]:
    """Those that fell silent after the last sample that was looked at; what they may have said late comes first."""
    those = {row.server_id for row in standings} - {one.server for one in stretch.fresh}
    silent = set(Server.objects.filter(pk__in=those, state=states.SILENT).values_list("pk", flat=True))
    for row in standings:
        if row.server_id in silent:
            yield rules[row.rule_id].seen(row.server_id, stretch.until, None)


def _statement(rules: Sequence[Watched], stretch: Stretch, standings: Sequence[Standing]) -> tuple[Any, dict[str, Any]]:
    places = {key: number for number, key in enumerate(dict.fromkeys((one.metric, one.below) for one in rules))}
    columns = [_column(metric, below, number) for (metric, below), number in places.items()]
    turned = [-one.limit if one.below else one.limit for one in rules]
    least = [inf] * len(places)
    for one, limit in zip(rules, turned, strict=True):
        least[places[one.metric, one.below]] = min(least[places[one.metric, one.below]], limit)
    scopes, about = _scopes(rules, stretch)
    statement = sql.SQL(FIND).format(
        columns=sql.SQL(", ").join(columns),
        cpus=sql.SQL(CPUS if any("cpus" in kinds.READINGS[metric].sql for metric, _below in places) else ""),
        readings=sql.Identifier(HOST_READINGS),
        over=sql.SQL(" UNION ALL ").join(_over(number, least[number]) for number in places.values()),
        value=sql.SQL(" ").join(_value(number, below) for (_metric, below), number in places.items()),
    )
    return statement, about | {
        "servers": [one.server for one in stretch.fresh],
        "afters": [one.after for one in stretch.fresh],
        "untils": [one.until for one in stretch.fresh],
        "first": min(one.after for one in stretch.fresh),
        "last": max(one.until for one in stretch.fresh),
        "rules": [one.rule.pk for one in rules],
        "places": [places[one.metric, one.below] for one in rules],
        "limits": turned,
        "scopes": scopes,
        "standing": [row.rule_id for row in standings],
        "standing_on": [row.server_id for row in standings],
    }


def _scopes(rules: Sequence[Watched], stretch: Stretch) -> tuple[list[int | None], dict[str, Any]]:
    """Of each rule the number of its scope, None: every server; and which servers each of these means."""
    fresh = {one.server for one in stretch.fresh}
    distinct = {id(one.servers): one.servers for one in rules}
    means = {key: fresh.intersection(servers) for key, servers in distinct.items()}
    some = [key for key, servers in means.items() if len(servers) < len(fresh)]
    number = {key: place for place, key in enumerate(some)}
    pairs = [(number[key], server) for key in some for server in means[key]]
    about = {"scope_of": [scope for scope, _server in pairs], "meant": [server for _scope, server in pairs]}
    return [number.get(id(one.servers)) for one in rules], about


def _column(metric: str, below: bool, number: int) -> sql.Composable:
    expression = sql.SQL(kinds.READINGS[metric].sql)
    return sql.SQL("({}({}))::real AS {}").format(sql.SQL("-" if below else ""), expression, _name(number))


def _over(number: int, least: float) -> sql.Composable:
    return sql.SQL(OVER_ONE).format(place=sql.Literal(number), column=_name(number), least=sql.Literal(least))


def _value(number: int, below: bool) -> sql.Composable:
    sign = sql.SQL("-" if below else "")
    return sql.SQL("WHEN {} THEN {}fresh.{}").format(sql.Literal(number), sign, _name(number))


def _name(number: int) -> sql.Composable:
    return sql.Identifier(f"v{number}")
