"""Finds services that failed, or that do not run and should.

A service should run when nothing else says that it need not: a oneshot ends inactive, what a socket, timer or path
starts waits for it, a masked one is not wanted, and one that is stopped for a time comes back by itself. Where a rule's
pattern means many, those that do not start at boot need not run either; who names one service means it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from actions.states import LEASE_OPEN
from alerts.evaluate.found import OVER, UNDER, Aim, Finder, Seen, Stretch
from alerts.evaluate.service_hosts import Round
from alerts.models import Standing
from alerts.rules import kinds
from pmonitor.rows import fetched
from servers import states

COLUMNS = """s.server_id, s.name, s.active_state, s.result, s.last_exit, s.unit_file_state,
    s.type = 'oneshot' OR s.triggered_by <> '[]' OR s.load_state = 'masked' OR EXISTS (SELECT FROM actions_lease l
        WHERE l.server_id = s.server_id AND l.target = s.name AND l.state = ANY(%(open)s))"""
DOWN = f"""SELECT {COLUMNS} FROM servers_service s
    WHERE s.server_id = ANY(%(servers)s) AND s.active_state = ANY(%(states)s) ORDER BY s.server_id, s.name"""  # noqa: S608
NAMED = f"""SELECT {COLUMNS} FROM unnest(%(servers)s::bigint[], %(names)s::text[]) AS one (server, name)
    JOIN servers_service s ON s.server_id = one.server AND s.name = one.name"""  # noqa: S608
AT_BOOT: Final = ("enabled", "enabled-runtime", "generated", "")  # empty: its manager does not tell
_wild: Final = re.compile(r"[*?[]")


class Listed(NamedTuple):
    """A service as it was listed last."""

    server: int
    name: str
    active_state: str
    result: str
    last_exit: str
    unit_file_state: str
    may_rest: bool


def find(aims: Sequence[Aim], stretch: Stretch, standings: Sequence[Standing]) -> Iterator[Seen]:
    """A finder of the kinds in FINDERS. A service that is no longer listed is well, with the fact "gone"."""
    patterns = [msgspec.convert(aim.rule.params, kinds.Unit).service for aim in aims]
    around = Round(aims, patterns, stretch, standings)
    yield from around.unknown()
    stood = _named(around)
    down = [one for one in _down(around, aims) if (one.server, one.name) not in stood]
    for one in [*down, *stood.values()]:
        for number, aim in around.aims_at(one.server, one.name):
            subject = aim.rule.pk, one.server, one.name
            over = IS_OVER[aim.rule.kind](one, patterns[number], around.stands(*subject))
            if around.is_new(*subject) and (over or around.stands(*subject)):
                yield _seen(aim, one, around, over)
    for (rule, server, name), standing in around.stood.items():
        host = around.hosts.get(server)
        if host and not host.unknown and (server, name) not in stood and standing.at < host.at:
            yield Seen(rule, server, name, host.at, UNDER, facts={"gone": True})


def _down(around: Round, aims: Sequence[Aim]) -> list[Listed]:
    wanted = sorted({STATE[aim.rule.kind] for aim in aims})
    rows = fetched(DOWN, {"servers": around.listed, "states": wanted, "open": list(LEASE_OPEN)})
    return [Listed(*row) for row in rows]


def _named(around: Round) -> dict[tuple[int, str], Listed]:
    pairs = around.standing_units()
    if not pairs:
        return {}
    servers, names = map(list, zip(*pairs, strict=True))
    rows = fetched(NAMED, {"servers": servers, "names": names, "open": list(LEASE_OPEN)})
    return {(row[0], row[1]): Listed(*row) for row in rows}


def _seen(aim: Aim, one: Listed, around: Round, over: bool) -> Seen:
    facts: dict[str, Any] = {}
    if aim.rule.kind == kinds.FAILED:
        facts = {"result": one.result, "exit": one.last_exit}
    return Seen(aim.rule.pk, one.server, one.name, around.hosts[one.server].at, OVER if over else UNDER, None, facts)


def _failed(one: Listed, _pattern: str, _stands: bool) -> bool:
    return one.active_state == states.FAILED


def is_for_many(pattern: str) -> bool:
    """Whether a pattern names no single service: of those that it fits, some need not run."""
    return _wild.search(pattern) is not None


def _rests(one: Listed, pattern: str, stands: bool) -> bool:
    """One that failed after it was found inactive has not come back."""
    if one.may_rest or (is_for_many(pattern) and one.unit_file_state not in AT_BOOT):
        return False
    return one.active_state == states.INACTIVE or (stands and one.active_state == states.FAILED)


IS_OVER: Final = {kinds.FAILED: _failed, kinds.INACTIVE: _rests}
STATE: Final = {kinds.FAILED: states.FAILED, kinds.INACTIVE: states.INACTIVE}
FINDERS: Final[dict[str, Finder]] = dict.fromkeys(IS_OVER, find)
