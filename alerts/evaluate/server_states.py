"""Finds servers that are silent, and those that were booted anew; by the hub's clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db.models import Max

from alerts.evaluate import conditions, moments
from alerts.evaluate.found import OVER, UNDER, Aim, Seen, Stretch
from alerts.models import Standing
from pmonitor.rows import fetched
from servers import spells, states
from servers.models import HubAbsence, Server, StateChange

LATE = timedelta(minutes=5)  # a boot is placed by the uptime in the first report after it, which may come so late
# Who was up for long cannot have been booted lately; what a server says of its uptime spares looking at its past.
BOOTED = """SELECT server_id, changes.at
    FROM servers_newest AS newest JOIN servers_statechange AS changes USING (server_id)
    WHERE (uptime_sec IS NULL OR uptime_sec < %(seconds)s OR server_id = ANY(%(standing)s))
    AND changes.state = %(rebooted)s AND changes.at > %(start)s AND changes.at <= %(until)s"""


def silent(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Iterable[Seen]:
    """Silent servers, from when they were marked so; those of which something stands, when they were up in between."""
    here = dict(Server.objects.filter(state=states.SILENT).values_list("pk", "state_since"))
    came_up = _came_up(standings, stretch.until)
    back = HubAbsence.objects.filter(end__lte=stretch.until).aggregate(at=Max("end"))["at"]
    standing = {(row.rule_id, row.server_id): row for row in standings}
    for aim in aims:
        those = {*here.keys() & set(aim.servers), *(server for rule, server in standing if rule == aim.rule.pk)}
        for server in those:
            row = standing.get((aim.rule.pk, server))
            spell = _Spell(here.get(server), back, came_up.get(server), row)
            yield from (Seen(aim.rule.pk, server, "", at, level) for at, level in spell.levels(stretch.until))


class _Spell(NamedTuple):
    since: datetime | None  # None: it is not silent
    hub_back: datetime | None  # from then on a server is to blame for its silence
    came_up: datetime | None  # since it was last looked at
    row: Standing | None

    def levels(self, until: datetime) -> Iterator[tuple[datetime, str]]:
        if self.row is not None and self.came_up is not None:
            yield self.came_up, UNDER
        if self.since is None:
            yield until, UNDER
            return
        begin = self.since if self.hub_back is None else max(self.since, self.hub_back)
        if self.row is None or self.came_up is not None:
            yield min(begin, until), OVER
        yield until, OVER


def _came_up(standings: Sequence[Standing], until: datetime) -> dict[int, datetime]:
    """When those of which something stands were last up again, after they were looked at."""
    looked: dict[int, datetime] = {}
    for row in standings:
        looked[row.server_id] = min(row.at, looked.get(row.server_id, row.at))
    changes = StateChange.objects.filter(
        server__in=looked, state=states.UP, at__gt=min(looked.values(), default=until), at__lte=until
    )
    ups = changes.order_by("at").values_list("server", "at")
    return {server: at for server, at in ups if at > looked[server]}


def rebooted(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Iterable[Seen]:
    """Servers that were booted anew within the rule's window."""
    within = {aim.rule.pk: conditions.params(aim.rule).within_sec for aim in aims}
    standing = {(row.rule_id, row.server_id) for row in standings}
    boots = _boots(max(within.values()), stretch, [server for _rule, server in standing])
    for aim in aims:
        those = {*boots.keys() & set(aim.servers), *(server for rule, server in standing if rule == aim.rule.pk)}
        for server in those:
            found = moments.levels(boots.get(server, []), within[aim.rule.pk], stretch)
            if (aim.rule.pk, server) in standing:
                found = moments.or_well(found, stretch.until)
            yield from (Seen(aim.rule.pk, server, "", at, level) for at, level in found)


def _boots(within_sec: int, stretch: Stretch, standing: Sequence[int]) -> dict[int, list[datetime]]:
    start = stretch.after - timedelta(seconds=within_sec) - LATE
    values = {
        "seconds": (stretch.until - start).total_seconds(),
        "standing": list(standing),
        "rebooted": spells.REBOOTED,
        "start": start,
        "until": stretch.until,
    }
    boots: dict[int, list[datetime]] = defaultdict(list)
    for server, at in fetched(BOOTED, values):
        boots[server].append(at)
    return boots
