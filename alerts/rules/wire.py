"""Rules as the API says them: camelCase, times ISO 8601 UTC, spans in seconds. checks.py looks at the values."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.json import Decoder

from alerts import states
from alerts.models import Rule
from alerts.rules import kinds, scopes, sentence, wanted
from alerts.rules.preview import Told
from alerts.rules.wanted import Wanted
from servers.models import Server
from servers.wire import LONG, Name, Word, on_the_wire

Line = Annotated[str, Meta(max_length=scopes.LENGTH)]
Number = Annotated[int, Meta(ge=1, le=LONG)]
Numbers = Annotated[list[Number], Meta(max_length=500)]
Params = dict[Name, Any]


class Remedy(Struct, rename=on_the_wire):
    """What the rule does by itself (restart, start, rollout; empty: nothing), to which service, how often at most."""

    cmd: Word = ""
    target: Name = ""
    most: int = 2
    within_sec: int = 3_600
    cooldown_sec: int = 300
    protected: bool = False


class NewRule(Struct, rename=on_the_wire, kw_only=True):
    """A whole rule. seen: the stamp of what it changes, as it was read."""

    name: Name
    kind: Word
    params: Params = {}
    limit: float | None = None
    clear_limit: float | None = None
    for_sec: int = 0
    clear_for_sec: int = 0
    k: int | None = None
    n: int | None = None
    scope: Line = ""
    severity: Word = states.WARNING
    enabled: bool = True
    contacts: Numbers = []
    escalate_after_sec: int | None = None
    escalate_to: Numbers = []
    remedy: Remedy | None = None
    seen: Word = ""


class Change(Struct, rename=on_the_wire, kw_only=True):
    """What shall be otherwise; what is left out stays."""

    name: Name | UnsetType = UNSET
    kind: Word | UnsetType = UNSET
    params: Params | UnsetType = UNSET
    limit: float | UnsetType | None = UNSET
    clear_limit: float | UnsetType | None = UNSET
    for_sec: int | UnsetType = UNSET
    clear_for_sec: int | UnsetType = UNSET
    k: int | UnsetType | None = UNSET
    n: int | UnsetType | None = UNSET
    scope: Line | UnsetType = UNSET
    severity: Word | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    contacts: Numbers | UnsetType = UNSET
    escalate_after_sec: int | UnsetType | None = UNSET
    escalate_to: Numbers | UnsetType = UNSET
    remedy: Remedy | UnsetType | None = UNSET
    seen: Word = ""


class Watched(NewRule, rename=on_the_wire, kw_only=True):
    """A rule to be previewed, which needs no name."""

    name: Name = ""


class Copy(Struct, rename=on_the_wire):
    """The copy's name; without one it is called after the rule."""

    name: Name = ""


NEWS, CHANGES, PREVIEWS, COPIES = Decoder(NewRule), Decoder(Change), Decoder(Watched), Decoder(Copy)


def asked(given: NewRule | Change) -> dict[str, Any]:
    """What was given, by the columns' names; texts without spaces around."""
    told = {name: value for name, value in msgspec.structs.asdict(given).items() if value is not UNSET}
    told.pop("seen")
    if given.kind == kinds.MISSING and told.get("limit") is None:
        told["limit"] = kinds.KINDS[kinds.MISSING].usual  # not even one
    if "remedy" in told:
        remedy = told.pop("remedy") or Remedy()
        told |= {f"remedy_{name}": value for name, value in msgspec.structs.asdict(remedy).items()}
    for name in wanted.MANY:
        if name in told:
            told[name] = tuple(dict.fromkeys(told[name]))
    return {name: value.strip() if isinstance(value, str) else value for name, value in told.items()}


def said(rule: Rule) -> dict[str, Any]:
    """A rule as it is; it has its contacts prefetched, and was counted by fired.py."""
    given = wanted.of(rule)
    columns = {on_the_wire(name): value for name, value in given._asdict().items() if not name.startswith("remedy_")}
    return {
        "id": rule.pk,
        **columns,
        "remedy": _remedy(given),
        "sentence": sentence.whole(rule),
        "version": rule.version,
        "stamp": wanted.stamp(given),
        "madeBy": rule.made_by_name,
        "madeAt": rule.made_at,
        "firedIn30Days": rule.fired,  # type: ignore[attr-defined]
        "lastFiredAt": rule.last_fired,  # type: ignore[attr-defined]
    }


def previewed(told: Told, acted: int) -> dict[str, Any]:
    """What a rule would have done; episodes null where history cannot tell, and then how it stands now."""
    episodes = told.episodes
    agents = dict(Server.objects.filter(pk__in=told.looked_at).values_list("pk", "agent_id"))
    return {
        "from": told.start,
        "to": told.end,
        "matching": told.matching,
        "lookedAt": len(told.looked_at),
        "historyFrom": told.since,
        "fired": None if episodes is None else len(episodes),
        "servers": None if episodes is None else len({one.server for one in episodes}),
        "actions": None if episodes is None else acted,
        "episodes": None
        if episodes is None
        else [
            {
                "agent": agents[one.server],
                "subject": one.subject,
                "beganAt": one.began_at,
                "openedAt": one.opened_at,
                "closedAt": one.closed_at,
                "value": one.value,
            }
            for one in episodes
            if one.server in agents
        ],
        "now": told.now
        and {
            "servers": len(told.now.servers),
            "heard": told.now.heard,
            "agents": [agents[server] for server in told.now.servers if server in agents],
        },
    }


def _remedy(given: Wanted) -> dict[str, Any] | None:
    if not given.remedy_cmd:
        return None
    names = msgspec.structs.fields(Remedy)
    return {field.encode_name: getattr(given, f"remedy_{field.name}") for field in names}
