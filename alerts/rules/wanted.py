"""What a rule shall be, before it is one: what forms, programs and the admin fill in, and what checks.py looks at."""

from __future__ import annotations

from hashlib import blake2s
from typing import Any, NamedTuple

import msgspec

from alerts import states
from alerts.models import Rule
from alerts.rules import kinds

DAY = 86_400
RESTART, START, ROLLOUT = "restart", "start", "rollout"
REMEDIES = (RESTART, START, ROLLOUT)  # what a rule may do by itself; a rollout restarts with its health gate

# How kinds differ in what else can be said of them; data, as in kinds.py
BELOW = (kinds.MISSING, kinds.DISK_FILLING)  # fire under their limit; a reading when it says so
MOMENTS = (kinds.REBOOTED, kinds.COMMAND_FAILED)  # something that happens, and lasts for no time
SAMPLED = (  # measured anew with each report, so that "k of the last n" means something
    kinds.READING, kinds.DISK_USED, kinds.DISK_FILLING, kinds.SKEW, kinds.MISSING, kinds.TOO_MANY, kinds.PROCESS_CPU,
    kinds.PROCESS_MEMORY,
)  # fmt: skip
FIRST = {"metric": "mem", "by": kinds.BY[0], "pattern": ""}  # what a new rule begins with, where there is no default
NOTHING_TO_TELL = (kinds.SILENT,)  # of a server that hears nothing


class Wanted(NamedTuple):
    """A rule's columns by their names; contacts and escalate_to are contacts' numbers, in their order."""

    name: str
    kind: str
    params: dict[str, Any] = {}
    limit: float | None = None
    clear_limit: float | None = None
    for_sec: int = 0
    clear_for_sec: int = 0
    k: int | None = None
    n: int | None = None
    scope: str = ""
    severity: str = states.WARNING
    enabled: bool = True
    contacts: tuple[int, ...] = ()
    escalate_after_sec: int | None = None
    escalate_to: tuple[int, ...] = ()
    remedy_cmd: str = ""
    remedy_target: str = ""
    remedy_most: int = 2
    remedy_within_sec: int = 3_600
    remedy_cooldown_sec: int = 300
    remedy_protected: bool = False


MANY = ("contacts", "escalate_to")  # kept in tables of their own
COLUMNS = tuple(name for name in Wanted._fields if name not in MANY)
REMEDY = tuple(name for name in COLUMNS if name.startswith("remedy_"))
WATCHED = ("kind", "params", "limit", "clear_limit", "for_sec", "clear_for_sec", "k", "n", "scope")


def of(rule: Rule) -> Wanted:
    """What is recorded, to be changed in part; two queries unless contacts and escalate_to are prefetched."""
    many: dict[str, Any] = {name: tuple(sorted(one.pk for one in getattr(rule, name).all())) for name in MANY}
    return _without_sum(Wanted(**{name: getattr(rule, name) for name in COLUMNS}, **many))


def whole(given: Wanted) -> Wanted:
    """With all the kind's params, also those that were left out, and no budget of nothing; it was found right."""
    params = msgspec.to_builtins(msgspec.convert(given.params, kinds.KINDS[given.kind].params))
    remedy = {} if given.remedy_cmd else {name: Wanted._field_defaults[name] for name in REMEDY}
    return given._replace(params=params, limit=_float(given.limit), clear_limit=_float(given.clear_limit), **remedy)


def columns(wanted: Wanted) -> dict[str, Any]:
    """What stands in the rule's own row."""
    return {name: getattr(wanted, name) for name in COLUMNS}


def stamp(wanted: Wanted) -> str:
    """Another one for each other content: who changes a rule says which they have seen."""
    told = {**wanted._asdict(), "params": sorted(wanted.params.items())}
    return blake2s(repr(sorted(told.items())).encode(), digest_size=8).hexdigest()


def fires_below(kind: str, params: dict[str, Any]) -> bool:
    """Whether a value under the limit is what opens an incident."""
    return kind in BELOW or (kind == kinds.READING and params.get("below") is True)


def about_a_service(kind: str, params: dict[str, Any]) -> bool:
    """Whether each incident is about one service, which a remedy may then be for without naming it."""
    kind_is = kind in kinds.KINDS and kinds.KINDS[kind].group == kinds.SERVICE
    return kind_is or (params.get("by") == "service" and not any(sign in "*?[" for sign in str(params.get("pattern"))))


def usual(kind: str) -> Wanted:
    """What a new rule of the kind begins with."""
    about = kinds.KINDS[kind]
    fields = msgspec.structs.fields(about.params)
    params = {field.encode_name: field.default for field in fields if not field.required}
    params |= {field.encode_name: FIRST[field.encode_name] for field in fields if field.required}
    return Wanted("", kind, params, about.usual, for_sec=about.seconds)


def _without_sum(given: Wanted) -> Wanted:
    """Rules from before `together` was refused where it means nothing stay right."""
    if given.kind in kinds.SUMMED or not given.params.get("together"):
        return given
    return given._replace(params={**given.params, "together": False})


def _float(value: float | None) -> float | None:
    """As the database gives it back, so that it is the same one then."""
    return None if value is None else float(value)
