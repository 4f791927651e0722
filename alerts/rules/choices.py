"""What the editor lets one choose: kinds by group, and what a kind's own fields offer."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from alerts import words
from alerts.notify import models as notify
from alerts.rules import checks, kinds, wanted
from alerts.rules.forms import UNITS, Filled, told
from pmonitor.templatetags import show
from servers.wire import MOST_PROCESSES

FIELD_WORDS: dict[str, Any] = {  # of the form's fields that a preview looks at, in the form's order
    "kind": _("What to watch"),
    "by": _("Which processes"),
    "pattern": _("Name or part"),
    "mount": _("Mount point"),
    "service": _("Service"),
    "metric": _("Reading"),
    "together": pgettext_lazy("processes", "all together"),
    "limit": _("Limit"),
    "within": pgettext_lazy("a span", "within"),
    "for": pgettext_lazy("a span", "for"),
    "clear_limit": _("Clear limit"),
    "clear_for": _("It is over when well for"),
    "k": _("Samples over the limit"),
    "n": _("Samples looked at"),
    "scope": _("Applies to"),
    "remedy_most": _("Times at most"),
    "remedy_within": _("The span in which so many are allowed"),
    "remedy_cooldown": _("and not again within"),
}
GROUP_WORDS: dict[str, Any] = {
    kinds.SERVER: _("Server"),
    kinds.PROCESS: pgettext_lazy("alert", "Process"),
    kinds.SERVICE: _("Service"),
    kinds.HUB: _("Commands"),
}
BY_WORDS: dict[str, Any] = {
    "name": pgettext_lazy("which processes", "by name"),
    "cmdline": pgettext_lazy("which processes", "by command line"),
    "user": pgettext_lazy("which processes", "by user"),
    "service": pgettext_lazy("which processes", "by service"),
}
PATTERN_HINTS: dict[str, Any] = {
    "name": "php-fpm*",
    "cmdline": "--worker",
    "user": "www-data",
    "service": "nginx.service",
}
REMEDY_WORDS: dict[str, Any] = {
    "": _("Only notify"),
    wanted.RESTART: _("Restart"),
    wanted.START: _("Start"),
    wanted.ROLLOUT: _("Restart as a rollout"),
}
COUNTED = (kinds.MISSING, kinds.TOO_MANY)  # in process tables, which are cut
CONTACT_WORDS: dict[str, Any] = {
    notify.EMAIL: _("E-mail"),
    notify.SLACK: "Slack",
    notify.WEBHOOK: "Webhook",
    notify.APPRISE: "Apprise",
}


def kinds_by_group() -> list[dict[str, Any]]:
    """Every kind with its word, as a select's groups."""
    groups: dict[str, list[tuple[str, Any]]] = {name: [] for name in GROUP_WORDS}
    for name, kind in kinds.KINDS.items():
        groups[kind.group].append((name, kind.word))
    return [{"word": GROUP_WORDS[name], "kinds": members} for name, members in groups.items()]


def wrong_to_watch(form: Filled) -> list[tuple[Any, str]]:
    """Which fields keep the form's rule from being previewed, each in words with what is wrong with it."""
    wrong = {**told(checks.watching(form.wanted)), **form.errors}
    return [(word, wrong[name]) for name, word in FIELD_WORDS.items() if name in wrong]


def of_kind(form: Filled) -> dict[str, Any]:
    """Which fields the form's kind has, and what they offer."""
    kind, params = form.wanted.kind, form.wanted.params
    about = kinds.KINDS[kind]
    fields = about.params.__struct_encode_fields__
    units = show.unit_words()
    return {
        "has": {
            **dict.fromkeys(fields, True),
            "together": kind in kinds.SUMMED,
            "limit": about.unit is not None,
            "times": kind not in wanted.MOMENTS,
            "samples": kind in wanted.SAMPLED,
            "remedy": kind not in wanted.NOTHING_TO_TELL,
            "counted": kind in COUNTED,
            "own_service": wanted.about_a_service(kind, params),
        },
        "most_processes": MOST_PROCESSES,
        "lead": LEADS.get(kind, ""),
        "unit": _unit(kind, params),
        "metrics": [(name, metric.word) for name, metric in kinds.READINGS.items()],
        "bys": list(BY_WORDS.items()),
        "pattern_hint": PATTERN_HINTS.get(str(params.get("by", "")), ""),
        "units": [(name, units[name]) for name in reversed(UNITS)],
        "remedies": list(REMEDY_WORDS.items()),
    }


LEADS: dict[str, Any] = {  # what stands before the limit; the kind's own fields come before that
    kinds.READING: "",
    kinds.DISK_USED: pgettext_lazy("before a limit", "is above"),
    kinds.DISK_FILLING: pgettext_lazy("before a limit", "is full within"),
    kinds.SKEW: pgettext_lazy("before a limit", "is off by more than"),
    kinds.MISSING: pgettext_lazy("before a limit", "are fewer than"),
    kinds.TOO_MANY: pgettext_lazy("before a limit", "are more than"),
    kinds.RESTARTING: pgettext_lazy("before a limit", "restarted at least"),
    kinds.PROCESS_CPU: pgettext_lazy("before a limit", "is above"),
    kinds.PROCESS_MEMORY: pgettext_lazy("before a limit", "is above"),
    kinds.FLAPPING: pgettext_lazy("before a limit", "went up and down at least"),
    kinds.RESTARTED: pgettext_lazy("before a limit", "restarted at least"),
}


def _unit(kind: str, params: dict[str, Any]) -> Any:
    """The unit behind the limit."""
    if kind in words.TIMES:
        return pgettext_lazy("after a number", "times")
    unit = words.unit_of(kind, params)
    return "" if unit == "count" else unit
