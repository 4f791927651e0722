"""The editor's fields: a rule as texts in a form, and back. Whether the values make sense, checks.py says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.http import QueryDict
from django.utils.translation import gettext as _

from alerts.rules import kinds, wanted
from alerts.rules.sentence import SIZES
from alerts.rules.wanted import Wanted

FIELDS = {  # a field's name on the wire: its name here
    "name": "name", "kind": "kind", "params.metric": "metric", "params.below": "side", "params.by": "by",
    "params.pattern": "pattern", "params.together": "together", "params.service": "service", "params.mount": "mount",
    "params.withinSec": "within", "limit": "limit", "clearLimit": "clear_limit", "forSec": "for",
    "clearForSec": "clear_for", "k": "k", "n": "n", "scope": "scope", "severity": "severity", "contacts": "contacts",
    "escalateAfterSec": "escalate_after", "escalateTo": "escalate_to", "remedy.cmd": "remedy_cmd",
    "remedy.target": "remedy_target", "remedy.most": "remedy_most", "remedy.withinSec": "remedy_within",
    "remedy.cooldownSec": "remedy_cooldown", "remedy.protected": "remedy_protected",
}  # fmt: skip
SPANS = {  # a span's field: its column
    "for": "for_sec", "clear_for": "clear_for_sec", "escalate_after": "escalate_after_sec",
    "remedy_within": "remedy_within_sec", "remedy_cooldown": "remedy_cooldown_sec",
}  # fmt: skip
UNITS = {unit: size for size, unit in SIZES}
OF_A_KIND = ("limit", "clear_limit", "for", "for_unit", "within", "within_unit", "k", "n")  # means nothing to another
LONGEST = 400  # characters of any field that are read
ANY_TEXT = ("pattern", "service", "mount")


class Filled(NamedTuple):
    """A form as it was filled in: its texts, the choices that are many, and what could not even be read."""

    given: dict[str, str]
    contacts: tuple[int, ...]
    escalate_to: tuple[int, ...]
    errors: dict[str, str]  # by the fields' names here
    wanted: Wanted


def filled(given: Wanted) -> Filled:
    """A rule in the form's fields."""
    params = given.params
    texts = {
        "name": given.name,
        "kind": given.kind,
        "shown": given.kind,
        "metric": str(params.get("metric", "")),
        "side": "below" if params.get("below") else "above",
        "by": str(params.get("by", kinds.BY[0])),
        **{name: str(params.get(name, "")) for name in ANY_TEXT},
        "together": "on" if params.get("together") else "",
        "limit": _number(given.limit),
        "clear_limit": _number(given.clear_limit),
        "k": _number(given.k),
        "n": _number(given.n),
        "scope": given.scope,
        "severity": given.severity,
        "remedy_cmd": given.remedy_cmd,
        "remedy_target": given.remedy_target,
        "remedy_most": _number(given.remedy_most),
        "remedy_protected": "on" if given.remedy_protected else "",
    }
    for name, column in SPANS.items():
        texts |= _span(name, getattr(given, column))
    texts |= _span("within", params.get("withinSec", 600))
    return Filled(texts, given.contacts, given.escalate_to, {}, given)


def read(data: QueryDict, base: Wanted | None = None) -> Filled:
    """What was filled in, upon what is there already (a new rule of its kind, unless base is given).

    Whose kind is another one than the form was shown for takes the new kind's usual limit and times.
    """
    kind = data.get("kind", base.kind if base else kinds.READING)
    known = kind in kinds.KINDS
    begun = _begun(kind if known else kinds.READING, base)
    form = filled(begun)
    given = {name: str(data.get(name, ""))[:LONGEST].replace("\0", "") for name in form.given if name in data}
    if data.get("shown", kind) != kind:
        given = {name: text for name, text in given.items() if name not in OF_A_KIND}
    if "shown" in data:  # the whole form: a box that is not in it is not ticked, and without contacts none escalates
        given = {"together": "", "remedy_protected": "", "escalate_after": "", **given}
    texts = {**form.given, **given, "kind": kind[:40] if not known else kind, "shown": kind if known else ""}
    whole = "shown" in data
    contacts = _numbers(data.getlist("contacts")) if whole or "contacts" in data else form.contacts
    escalate_to = _numbers(data.getlist("escalate_to")) if whole or "escalate_to" in data else form.escalate_to
    errors: dict[str, str] = {}
    made = _wanted(texts, begun._replace(kind=kind, contacts=contacts, escalate_to=escalate_to), errors)
    return Filled(texts, contacts, escalate_to, errors, made)


def _begun(kind: str, base: Wanted | None) -> Wanted:
    usual = wanted.usual(kind)
    if base is None or base.kind == kind:
        return base or usual
    changed = {name: getattr(usual, name) for name in ("kind", "params", "limit", "clear_limit", "for_sec", "k", "n")}
    return base._replace(**changed)


def told(problems: Mapping[str, str]) -> dict[str, str]:
    """What is wrong, by the fields' names here."""
    return {FIELDS.get(name, "kind"): said for name, said in problems.items()}


def _wanted(texts: dict[str, str], base: Wanted, errors: dict[str, str]) -> Wanted:
    acts = texts["remedy_cmd"]
    read: dict[str, Any] = {
        "name": texts["name"].strip(),
        "params": _params(texts, base.kind, errors),
        "scope": texts["scope"].strip(),
        "severity": texts["severity"],
        "remedy_cmd": acts,
        "remedy_target": texts["remedy_target"].strip() if acts else "",
        "remedy_protected": bool(texts["remedy_protected"]) and bool(acts),
    }
    about = kinds.KINDS.get(base.kind)
    if about and about.unit is not None:
        read |= {name: _float(texts, name, errors) for name in ("limit", "clear_limit")}
    else:
        read |= {"limit": None, "clear_limit": None}
    sampled = base.kind in wanted.SAMPLED
    read |= {name: _whole(texts, name, errors) if sampled else None for name in ("k", "n")}
    for name, column in SPANS.items():
        if name.startswith("remedy") and not acts:
            continue
        read[column] = _seconds(texts, name, errors)
    if base.kind in wanted.MOMENTS:
        read |= {"for_sec": 0, "clear_for_sec": 0}
    if acts and (most := _whole(texts, "remedy_most", errors)) is not None:
        read["remedy_most"] = most
    for name in ("for_sec", "clear_for_sec", "remedy_within_sec", "remedy_cooldown_sec"):
        read[name] = read.get(name, getattr(base, name)) or 0
    return base._replace(**read)


def _params(texts: dict[str, str], kind: str, errors: dict[str, str]) -> dict[str, Any]:
    """As the kind's struct has them on the wire."""
    if kind not in kinds.KINDS:
        return {}
    fields = kinds.KINDS[kind].params.__struct_encode_fields__
    read: dict[str, Any] = {
        "metric": texts["metric"],
        "below": texts["side"] == "below",
        "by": texts["by"],
        "pattern": texts["pattern"].strip(),
        "service": texts["service"].strip() or "*",
        "mount": texts["mount"].strip() or "*",
        "together": bool(texts["together"]) and kind in kinds.SUMMED,
    }
    if "withinSec" in fields:
        read["withinSec"] = _seconds(texts, "within", errors) or 0
    return {name: value for name, value in read.items() if name in fields}


def _span(name: str, seconds: int | None) -> dict[str, str]:
    """A span of time as a number and its unit."""
    if seconds is None:
        return {name: "", f"{name}_unit": "min"}
    size, unit = next((size, unit) for size, unit in SIZES if seconds % size == 0 and (seconds >= size or size == 1))
    return {name: str(seconds // size), f"{name}_unit": unit if seconds else "min"}


def _seconds(texts: dict[str, str], name: str, errors: dict[str, str]) -> int | None:
    count, size = _float(texts, name, errors), UNITS.get(texts[f"{name}_unit"], 1)
    if count is None:
        return None
    if not 0 <= count * size < 1e9:
        errors[name] = _("Write a span of time such as 5 min.")
        return None
    return round(count * size)


def _float(texts: dict[str, str], name: str, errors: dict[str, str]) -> float | None:
    text = texts[name].strip()
    if not text:
        return None
    try:
        found = float(text.replace(",", "."))
    except ValueError:
        errors[name] = _("Write a number such as 90.")
        return None
    return found


def _whole(texts: dict[str, str], name: str, errors: dict[str, str]) -> int | None:
    text = texts[name].strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 6):
        errors[name] = _("Write a whole number such as 3.")
        return None
    return int(text)


def _numbers(texts: list[str]) -> tuple[int, ...]:
    return tuple(int(text) for text in texts[:500] if text.isascii() and text.isdecimal() and len(text) < 19)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.15g}"
