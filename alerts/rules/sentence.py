"""A rule in one sentence: "memory used above 90% for 5 min", "nginx.service failed; restarts it, 2 an hour at most".

The same in pages, notices and the API. Plain text of safe characters, not escaped.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from alerts import words
from alerts.models import Rule
from alerts.rules import kinds, wanted
from alerts.rules.wanted import Wanted
from pmonitor.templatetags import show
from pmonitor.visible import visible

SIZES = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
ANY = "*"
WHAT: dict[str, Any] = {  # of {limit, times, within, which, unit, mount}
    kinds.SILENT: gettext_lazy("server silent"),
    kinds.REBOOTED: gettext_lazy("server rebooted"),
    kinds.SKEW: gettext_lazy("clock off by more than %(limit)s"),
    kinds.OUTDATED: gettext_lazy("agent outdated"),
    kinds.DISK_USED: gettext_lazy("%(mount)s used above %(limit)s"),
    kinds.DISK_FILLING: gettext_lazy("%(mount)s full within %(limit)s"),
    kinds.MISSING: gettext_lazy("%(which)s missing"),
    kinds.TOO_MANY: gettext_lazy("more than %(limit)s of: %(which)s"),
    kinds.RESTARTING: gettext_lazy("%(which)s restarted %(times)s within %(within)s"),
    kinds.PROCESS_CPU: gettext_lazy("%(which)s above %(limit)s CPU"),
    kinds.PROCESS_MEMORY: gettext_lazy("%(which)s above %(limit)s of memory"),
    kinds.FAILED: gettext_lazy("%(unit)s failed"),
    kinds.INACTIVE: gettext_lazy("%(unit)s inactive"),
    kinds.FLAPPING: gettext_lazy("%(unit)s up and down %(times)s within %(within)s"),
    kinds.RESTARTED: gettext_lazy("%(unit)s restarted %(times)s within %(within)s"),
    kinds.COMMAND_FAILED: gettext_lazy("a command failed"),
}
FEWER = gettext_lazy("fewer than %(limit)s of: %(which)s")
WHICH: dict[str, Any] = {
    "name": gettext_lazy("process %(pattern)s"),
    "cmdline": gettext_lazy("process with “%(pattern)s” in its command line"),
    "user": gettext_lazy("process of user %(pattern)s"),
    "service": gettext_lazy("process of %(pattern)s"),
}
TOGETHER: dict[str, Any] = {
    "name": gettext_lazy("processes %(pattern)s together"),
    "cmdline": gettext_lazy("processes with “%(pattern)s” in their command line, together,"),
    "user": gettext_lazy("processes of user %(pattern)s together"),
    "service": gettext_lazy("processes of %(pattern)s together"),
}
ACTS: dict[str, tuple[Any, Any]] = {  # on the service it is about, on one that is named
    wanted.RESTART: (gettext_lazy("restarts it"), gettext_lazy("restarts %(target)s")),
    wanted.START: (gettext_lazy("starts it"), gettext_lazy("starts %(target)s")),
    wanted.ROLLOUT: (gettext_lazy("restarts it as a rollout"), gettext_lazy("restarts %(target)s as a rollout")),
}


def whole(rule: Rule | Wanted) -> str:
    """What it watches for, for how long, and what it does then by itself."""
    said = condition(rule)
    return f"{said}; {acts(rule)}" if rule.remedy_cmd else said


def condition(rule: Rule | Wanted) -> str:
    """What it watches for, and for how long."""
    said = _what(rule)
    if rule.k and rule.n:
        said = _("%(what)s in %(k)s of the last %(n)s samples") % {"what": said, "k": rule.k, "n": rule.n}
    return _("%(what)s for %(span)s") % {"what": said, "span": span(rule.for_sec)} if rule.for_sec else said


def acts(rule: Rule | Wanted) -> str:
    """What it does by itself, and how often at most; its remedy has a verb."""
    its_own, named = ACTS[rule.remedy_cmd]
    what = str(named) % {"target": visible(rule.remedy_target)} if rule.remedy_target else str(its_own)
    most, within = rule.remedy_most, rule.remedy_within_sec
    said = {"what": what, "most": most, "span": span(within)}
    if within == 3_600:
        return ngettext("%(what)s, %(most)s an hour at most", "%(what)s, %(most)s an hour at most", most) % said
    if within == wanted.DAY:
        return ngettext("%(what)s, %(most)s a day at most", "%(what)s, %(most)s a day at most", most) % said
    return ngettext("%(what)s, %(most)s in %(span)s at most", "%(what)s, %(most)s in %(span)s at most", most) % said


def where(scope: str) -> str:
    """Which servers a rule or a silence is for."""
    return visible(scope) if scope.strip() else _("all servers")


def span(seconds: int) -> str:
    """A span of time in the largest unit that tells it exactly: 90 s, 5 min, 24 h."""
    size, unit = next((size, unit) for size, unit in SIZES if seconds % size == 0 and (seconds >= size or size == 1))
    return f"{show.plain(seconds // size)} {show.unit_words()[unit]}"


def reading(metric: str) -> str:
    """A reading's word inside a sentence: "memory used", "CPU"."""
    known = kinds.READINGS.get(metric)
    word = str(known.word) if known else visible(metric)
    return word[:1].lower() + word[1:] if word[1:2].islower() else word


def _what(rule: Rule | Wanted) -> str:
    params, limit = rule.params, words.limit(rule.kind, rule.limit, rule.params)
    if rule.kind == kinds.READING:
        said = _("%(reading)s below %(limit)s") if params.get("below") else _("%(reading)s above %(limit)s")
        return said % {"reading": reading(str(params.get("metric", ""))), "limit": limit}
    told = {
        "limit": limit,
        "times": limit,
        "within": span(params["withinSec"]) if "withinSec" in params else "",
        "which": _which(rule.kind, params),
        "unit": _any(params.get("service", ANY), _("any service")),
        "mount": _mount(params.get("mount", ANY)),
    }
    fewer = rule.kind == kinds.MISSING and (rule.limit or 1) > 1
    return str(FEWER if fewer else WHAT[rule.kind]) % told


def _which(kind: str, params: dict[str, Any]) -> str:
    said = TOGETHER if kind in kinds.SUMMED and params.get("together") else WHICH
    return str(said.get(params.get("by", ""), WHICH["name"])) % {"pattern": visible(str(params.get("pattern", "")))}


def _mount(pattern: str) -> str:
    return _("any disk") if pattern == ANY else _("disk %(mount)s") % {"mount": visible(pattern)}


def _any(pattern: str, every: str) -> str:
    return every if pattern == ANY else visible(pattern)
