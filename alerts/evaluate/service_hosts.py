"""Whose services are looked at in a round: servers that listed them in it, and those of which something stands.

An agent lists its services when they changed and at least each five minutes; in between they are as they were. So each
report is a sample of them, and a rule has seen each server's within five minutes of its making.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from alerts.evaluate.found import NO_DATA, Aim, Seen, Stretch
from alerts.evaluate.process_match import Units
from alerts.models import Standing
from pmonitor.rows import fetched
from servers import states

LISTED_WITHIN: Final = timedelta(minutes=15)  # an older list tells nothing any more
MARGIN: Final = timedelta(minutes=1)  # a list is placed so much before its receipt at most; to look twice is harmless

HOSTS = """SELECT n.server_id, n.sampled_at, n.services_at, n.services_at > %(listed)s,
        s.state = %(silent)s OR n.services_at <= n.sampled_at - %(within)s
    FROM servers_newest n JOIN servers_server s ON s.id = n.server_id
    WHERE n.server_id = ANY(%(servers)s) AND n.services_at IS NOT NULL
        AND (n.services_at > %(listed)s OR n.server_id = ANY(%(standing)s))
        AND (s.state = %(silent)s OR (n.received_at > %(after)s AND n.received_at <= %(until)s))"""


class Host(NamedTuple):
    """A server with a new sample, or one whose services are not known."""

    server: int
    at: datetime  # when it was sampled
    services_at: datetime  # when its services were listed last
    listed: bool  # in this round
    unknown: bool  # silent, or it does not list its services any more


class Round:
    """The rules of one round on services: who is meant by which, and what stands."""

    def __init__(
        self, aims: Sequence[Aim], patterns: Sequence[str], stretch: Stretch, stood: Iterable[Standing]
    ) -> None:
        self.aims, self.until = aims, stretch.until
        self.units = Units(enumerate(pattern.casefold() for pattern in patterns))
        self._servers = [frozenset(aim.servers) for aim in aims]
        rules = {aim.rule.pk for aim in aims}
        self.stood = {(one.rule_id, one.server_id, one.subject): one for one in stood if one.rule_id in rules}
        self.hosts = self._hosts(stretch)

    @property
    def listed(self) -> list[int]:
        """The servers that listed their services and are known."""
        return [host.server for host in self.hosts.values() if host.listed and not host.unknown]

    def aims_at(self, server: int, unit: str) -> Iterator[tuple[int, Aim]]:
        """The rules, with their places, that mean this service of this server."""
        for number in self.units[unit]:
            if server in self._servers[number]:
                yield number, self.aims[number]

    def stands(self, rule: int, server: int, subject: str) -> bool:
        """Whether something stands of a subject."""
        return (rule, server, subject) in self.stood

    def is_new(self, rule: int, server: int, subject: str) -> bool:
        """Whether the server's newest sample was not yet looked at for what stands of this subject."""
        one = self.stood.get((rule, server, subject))
        return one is None or one.at < self.hosts[server].at

    def unknown(self) -> Iterator[Seen]:
        """Of what stands on servers that tell nothing, that nothing is known."""
        for rule, server, subject in self.stood:
            if server in self.hosts and self.hosts[server].unknown:
                yield Seen(rule, server, subject, self.until, NO_DATA)

    def standing_units(self) -> list[tuple[int, str]]:
        """The services of known servers of which something stands."""
        pairs = {(server, subject) for _rule, server, subject in self.stood if subject and server in self.hosts}
        return sorted(pair for pair in pairs if not self.hosts[pair[0]].unknown)

    def _hosts(self, stretch: Stretch) -> dict[int, Host]:
        about = {
            "servers": sorted(frozenset().union(*self._servers)),
            "standing": sorted({server for _rule, server, _subject in self.stood}),
            "listed": stretch.after - MARGIN,
            "within": LISTED_WITHIN,
            "silent": states.SILENT,
            "after": stretch.after,
            "until": stretch.until,
        }
        return {row[0]: Host(*row) for row in fetched(HOSTS, about)} if about["servers"] else {}
