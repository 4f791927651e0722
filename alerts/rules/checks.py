"""Whether a rule makes sense: one validation for the form, the API and the admin. Names every wrong field.

Fields are called as on the wire: "limit", "params.pattern", "remedy.target". Sentences say what would be right.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from alerts import states, words
from alerts.models import Contact, Rule
from alerts.rules import kinds, scopes, wanted
from alerts.rules.wanted import Wanted
from pmonitor import access

WEEK = 7 * wanted.DAY
MOST_SAMPLES = 60
ESCALATE_LEAST = 60
TEXT = gettext_lazy("must be a text of 1 to 255 printable characters")
YES_OR_NO = gettext_lazy("must be true or false")
PARAMS: dict[str, Any] = {  # what would be right
    "metric": gettext_lazy("must be one of %(allowed)s"),
    "below": YES_OR_NO,
    "together": YES_OR_NO,
    "by": gettext_lazy("must be one of %(allowed)s"),
    "pattern": TEXT,
    "mount": TEXT,
    "service": TEXT,
    "withinSec": gettext_lazy("must be a whole number of seconds from 60 to 604800 (7 days)"),
}
ONE_OF = {"metric": tuple(kinds.READINGS), "by": kinds.BY}


def wrong(given: Wanted, user: Any, rule: Rule | None = None) -> dict[str, str]:
    """What is wrong with what the user wants a rule to be, by field; rule: the one that it changes."""
    found = _name(given, rule) | _fractions(given, rule) | watching(given) | _scope_of(given, user)
    for check in (_severity, _contacts, _escalation):
        found |= check(given)
    return found | _remedy(given, user)


def watching(given: Wanted) -> dict[str, str]:
    """The same of what it watches for alone, which is what a preview needs."""
    found = {"scope": said} if (said := scopes.wrong(given.scope)) else {}
    if given.kind not in kinds.KINDS:
        return found | {"kind": _("must be one of %(kinds)s") % {"kinds": ", ".join(kinds.KINDS)}}
    found |= _params(given)
    checks: tuple[Callable[[Wanted], dict[str, str]], ...] = (_limit, _times, _samples)
    for check in checks:
        found |= check(given)
    return found


def _name(given: Wanted, rule: Rule | None) -> dict[str, str]:
    if not 0 < len(given.name) <= 80 or not given.name.isprintable() or given.name != given.name.strip():
        return {"name": _("must be a text of 1 to 80 printable characters")}
    others = Rule.objects.kept().filter(name=given.name).exclude(pk=rule.pk if rule else 0)
    return {"name": taken()} if others.exists() else {}


def taken() -> str:
    """What is said of a name that another rule has."""
    return _("is another rule's name already: choose one that tells them apart")


def _params(given: Wanted) -> dict[str, str]:
    about = kinds.KINDS[given.kind].params
    fields = {field.encode_name: field for field in msgspec.structs.fields(about)}
    found = {}
    for name in given.params.keys() - fields.keys():
        allowed = ", ".join(fields) or _("nothing")
        found[f"params.{name[:40]}"] = _("is not known to this kind, which takes %(names)s") % {"names": allowed}
    for name, field in fields.items():
        value = given.params.get(name, msgspec.NODEFAULT)
        if field.required if value is msgspec.NODEFAULT else not _fits(name, value, field.type):
            found[f"params.{name}"] = str(PARAMS[name]) % {"allowed": ", ".join(ONE_OF.get(name, ()))}
    if "together" in fields and given.kind not in kinds.SUMMED and given.params.get("together") is True:
        found["params.together"] = _("must be false: only CPU and memory can be looked at as a sum")
    return found


def _fits(name: str, value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    if name in ONE_OF:
        return value in ONE_OF[name]
    return not isinstance(value, str) or (value.isprintable() and value == value.strip())


def _limit(given: Wanted) -> dict[str, str]:
    about = kinds.KINDS[given.kind]
    if about.unit is None:
        sides = (("limit", given.limit), ("clearLimit", given.clear_limit))
        return {name: _("must be left out: this kind has none") for name, value in sides if value is not None}
    said, (least, most) = _within(given), bounds(given.kind, given.params)
    found = {}
    if given.limit is None or not math.isfinite(given.limit) or not least <= given.limit <= most:
        found["limit"] = said
    if given.clear_limit is None:
        return found
    if not math.isfinite(given.clear_limit) or not least <= given.clear_limit <= most:
        return found | {"clearLimit": said}
    return found or _side(given)


def _fractions(given: Wanted, rule: Rule | None) -> dict[str, str]:
    """Nobody counts half a process. What was recorded before this was asked for goes on as it is."""
    if given.kind not in kinds.KINDS or not _counts(given):
        return {}
    kept = (rule.limit, rule.clear_limit) if rule is not None and rule.kind == given.kind else (None, None)
    found = (("limit", given.limit, kept[0]), ("clearLimit", given.clear_limit, kept[1]))
    return {name: _within(given) for name, value, was in found if value not in (None, was) and value % 1}


def _counts(given: Wanted) -> bool:
    """Whether its limit is a number of things."""
    return words.unit_of(given.kind, given.params) == "count"


def _within(given: Wanted) -> str:
    """What its limit must be."""
    least, most = (f"{bound:.15g}" for bound in bounds(given.kind, given.params))
    if _counts(given):
        return _("must be a whole number from %(least)s to %(most)s") % {"least": least, "most": most}
    return _("must be a number from %(least)s to %(most)s") % {"least": least, "most": most}


def _side(given: Wanted) -> dict[str, str]:
    """The value has to come back over the limit, and as far as the clear limit."""
    assert given.limit is not None and given.clear_limit is not None  # noqa: PT018, S101 - _limit has looked
    limit = {"limit": f"{given.limit:.15g}"}
    if wanted.fires_below(given.kind, given.params):
        wrong_side = given.clear_limit < given.limit
        return {"clearLimit": _("must be at least the limit, %(limit)s") % limit} if wrong_side else {}
    wrong_side = given.clear_limit > given.limit
    return {"clearLimit": _("must be at most the limit, %(limit)s") % limit} if wrong_side else {}


def bounds(kind: str, params: dict[str, Any]) -> tuple[float, float]:
    """The least and the most that a limit can be."""
    about = kinds.KINDS[kind]
    metric = kinds.READINGS.get(str(params.get("metric", ""))) if kind == kinds.READING else None
    return about.least, 100.0 if metric and metric.unit == "%" else about.most


def _times(given: Wanted) -> dict[str, str]:
    spans = (("forSec", given.for_sec), ("clearForSec", given.clear_for_sec))
    if given.kind in wanted.MOMENTS:
        said = _("must be 0: this happens at one moment; withinSec says for how long its incident stays open")
        return {name: said for name, value in spans if value != 0}
    said = _("must be a whole number of seconds from 0 to 604800 (7 days)")
    return {name: said for name, value in spans if not 0 <= value <= WEEK}


def _samples(given: Wanted) -> dict[str, str]:
    if given.k is None and given.n is None:
        return {}
    if given.kind not in wanted.SAMPLED:
        return {"k": _("must be left out: this kind is not measured anew with each report")}
    found, most = {}, given.n or 0
    if not 1 <= most <= MOST_SAMPLES:
        found["n"] = _("must be a whole number of samples from 1 to 60, given together with k")
        most = MOST_SAMPLES
    if given.k is None or not 1 <= given.k <= most:
        found["k"] = _("must be a whole number from 1 to n, %(n)s") % {"n": most}
    return found


def _scope_of(given: Wanted, user: Any) -> dict[str, str]:
    if scopes.wrong(given.scope) or scopes.may_use(user, given.scope):
        return {}
    return {"scope": _("reaches further than you may: name a group of yours, such as group:web")}


def _severity(given: Wanted) -> dict[str, str]:
    if given.severity in states.SEVERITIES:
        return {}
    return {"severity": _("must be one of %(severities)s") % {"severities": ", ".join(states.SEVERITIES)}}


def _contacts(given: Wanted) -> dict[str, str]:
    asked = {*given.contacts, *given.escalate_to}
    known = set(Contact.objects.filter(pk__in=asked).values_list("pk", flat=True)) if asked else set()
    found = {}
    for field, numbers in (("contacts", given.contacts), ("escalateTo", given.escalate_to)):
        if gone := sorted(set(numbers) - known):
            found[field] = _("there is no contact %(number)s: choose among those that are listed") % {
                "number": ", ".join(map(str, gone))
            }
    return found


def _escalation(given: Wanted) -> dict[str, str]:
    after = given.escalate_after_sec
    if after is None:
        return {"escalateAfterSec": _("must say after how long they are told")} if given.escalate_to else {}
    found = {}
    if not ESCALATE_LEAST <= after <= WEEK:
        found["escalateAfterSec"] = _("must be a whole number of seconds from 60 to 604800 (7 days)")
    if not given.escalate_to:
        found["escalateTo"] = _("must name at least one contact who is told then")
    return found


def _remedy(given: Wanted, user: Any) -> dict[str, str]:
    if not given.remedy_cmd:
        return {"remedy.target": _("must be left out when it does nothing by itself")} if given.remedy_target else {}
    if given.remedy_cmd not in wanted.REMEDIES:
        return {"remedy.cmd": _("must be one of %(verbs)s, or empty") % {"verbs": ", ".join(wanted.REMEDIES)}}
    if given.kind in wanted.NOTHING_TO_TELL:
        return {"remedy.cmd": _("must be empty: a silent server hears no command")}
    found = _target(given)
    if not 1 <= given.remedy_most <= 20:
        found["remedy.most"] = _("must be a whole number from 1 to 20")
    if not 60 <= given.remedy_within_sec <= WEEK:
        found["remedy.withinSec"] = _("must be a whole number of seconds from 60 to 604800 (7 days)")
    if not 0 <= given.remedy_cooldown_sec <= wanted.DAY:
        found["remedy.cooldownSec"] = _("must be a whole number of seconds from 0 to 86400 (a day)")
    if given.remedy_protected and not access.has_role(user, access.ADMIN):
        found["remedy.protected"] = _("must be false: only an admin lets a rule act on protected services")
    return found


def _target(given: Wanted) -> dict[str, str]:
    target = given.remedy_target
    if len(target) > 255 or not target.isprintable() or any(sign.isspace() or sign in "*?[]" for sign in target):
        return {"remedy.target": _("must be the name of one service, such as nginx.service")}
    if target or wanted.about_a_service(given.kind, given.params):
        return {}
    return {"remedy.target": _("must name the service, such as nginx.service: this kind is not about one")}
