"""What the pages of rules show: the list, one rule, and the editor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from alerts import words
from alerts.evaluate import overdue
from alerts.models import Contact, Rule
from alerts.rules import changed_by, choices, fired, kinds, names, scopes, sentence, unmet, wanted
from alerts.rules.forms import Filled
from pmonitor import access
from pmonitor.visible import visible

MORE = ("clear_limit", "clear_for", "k", "n")  # the fields under "More"
ON, OFF = "on", "off"
SORTS: dict[str, Callable[[dict[str, Any]], Any]] = {  # of rows; whose value is the greatest comes first but for names
    "name": lambda row: row["name"].casefold(),
    "fired": lambda row: (-row["fired"], row["name"].casefold()),
    "last": lambda row: (-row["last"].timestamp() if row["last"] else 0, row["name"].casefold()),
}


def panel(user: Any, role: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What `_rules.html` shows; query: q, state (on, off), severity, sort. Some five queries, however many rules."""
    asked = query or {}
    rows = list(_rows(user, role))
    shown = [row for row in rows if _matches(row, asked)]
    sort = asked.get("sort", "")
    return {
        "overdue": overdue.notice(role == access.ADMIN),
        "rules_panel": {
            "rows": sorted(shown, key=SORTS.get(sort, SORTS["name"])),
            "total": len(rows),
            "q": asked.get("q", ""),
            "state": asked.get("state", ""),
            "severity": asked.get("severity", ""),
            "sort": sort if sort in SORTS else "name",
            "severities": list(words.SEVERITY_WORDS.items()),
            "acting": role in (access.OPERATOR, access.ADMIN),
            "nobody": _nobody(),
        },
    }


def row(user: Any, role: str, rule: Rule) -> dict[str, Any]:
    """The list's row of one rule."""
    return next(iter(_rows(user, role, rule.pk)))


def one(user: Any, role: str, rule: Rule) -> dict[str, Any]:
    """What `_rule_facts.html` shows of a rule to who may not change it."""
    shown = row(user, role, rule)
    escalates = [visible(contact.name) for contact in rule.escalate_to.all()]
    return {
        "overdue": overdue.of_rule(rule, role == access.ADMIN),
        "rule_facts": {
            **shown,
            "clear": words.limit(rule.kind, rule.clear_limit, rule.params),
            "clear_for": sentence.span(rule.clear_for_sec) if rule.clear_for_sec else "",
            "escalates": escalates,
            "escalate_after": sentence.span(rule.escalate_after_sec) if rule.escalate_after_sec else "",
            "cooldown": sentence.span(rule.remedy_cooldown_sec) if rule.remedy_cmd else "",
            "made_by": visible(rule.made_by_name),
            "why": _("It is for more servers than yours.") if role != access.VIEWER else "",
        },
    }


def form_context(
    user: Any, form: Filled, rule: Rule | None = None, errors: Mapping[str, str] | None = None, problem: str = ""
) -> dict[str, Any]:
    """What `_rule_form.html` shows: a form as it is filled in, for a new rule or to change one."""
    known, wrong = form.wanted.kind in kinds.KINDS, {**(errors or {}), **form.errors}
    return {
        "overdue": overdue.of_rule(rule, access.has_role(user, access.ADMIN)) if rule else None,
        "rule_form": {
            "rule": rule,
            "name": names.shown(rule.name) if rule else "",
            "given": form.given,
            "errors": wrong,
            "problem": problem,
            "seen": wanted.stamp(wanted.of(rule)) if rule else "",
            "action": reverse("rules:one", args=[rule.pk]) if rule else reverse("rules:new"),
            "kinds": choices.kinds_by_group(),
            "people": _contacts(form),
            "severities": list(words.SEVERITY_WORDS.items()),
            "is_admin": access.has_role(user, access.ADMIN),
            "more": any(form.given[name] not in ("", "0") for name in MORE) or any(name in wrong for name in MORE),
            "now": row(user, access.OPERATOR, rule) | {"who": visible(rule.made_by_name)} if rule and problem else None,
            "unmet": unmet.warnings(form.wanted).get("remedy.target", ""),
            "changed_by": changed_by.last(rule) if rule and problem else None,
            **choices.of_kind(form if known else form._replace(wanted=wanted.usual(kinds.READING))),
            **matches(user, form.wanted.scope),
        },
    }


def matches(user: Any, line: str) -> dict[str, Any]:
    """How many of the user's servers a scope's line means now, or what is wrong with it."""
    said = scopes.wrong(line)
    return {"scope_wrong": said, "matching": 0 if said else len(servers_of(user, line))}


def servers_of(user: Any, line: str) -> list[int]:
    """The ids of the servers in the user's scope that a right line means, by name."""
    among = sorted(scopes.places_of(user), key=lambda place: place.hostname)
    return scopes.of(scopes.read(line), among)


def _rows(user: Any, role: str, number: int | None = None) -> Iterable[dict[str, Any]]:
    found = fired.counted(Rule.objects.visible_to(user), user).prefetch_related("contacts")
    if number is not None:
        found = found.filter(pk=number)
    acting = role in (access.OPERATOR, access.ADMIN)
    mine = scopes.reach_of(user) if acting else None
    for rule in found:
        yield {
            "rule": rule,
            "name": names.shown(rule.name),
            "said": sentence.whole(rule),
            "scope": sentence.where(rule.scope),
            "severity": rule.severity,
            "severity_word": words.SEVERITY_WORDS[rule.severity],
            "told": [visible(contact.name) for contact in rule.contacts.all()],
            "fired": rule.fired,
            "last": rule.last_fired,
            "acting": mine is not None and mine.holds(rule.scope),
        }


def _standing(contact: Contact) -> str:
    """Why it is not told of anything; empty where it is."""
    if not contact.enabled:
        return pgettext("contact", "off")
    return pgettext("contact", "broken") if contact.broken_at else ""


def _matches(row: dict[str, Any], asked: Mapping[str, str]) -> bool:
    state, severity = asked.get("state", ""), asked.get("severity", "")
    if (state == ON and not row["rule"].enabled) or (state == OFF and row["rule"].enabled):
        return False
    if severity and row["severity"] != severity:
        return False
    where = " ".join((row["name"], row["rule"].name, row["said"], row["scope"], *row["told"])).casefold()
    return all(word in where for word in asked.get("q", "").casefold().split())


def _nobody() -> bool:
    """Whether none of the rules that are on tells anybody."""
    return not Rule.objects.kept().filter(enabled=True, contacts__enabled=True).exists()


def _contacts(form: Filled) -> list[dict[str, Any]]:
    return [
        {
            "contact": contact,
            "name": visible(contact.name),
            "kind": choices.CONTACT_WORDS.get(contact.kind, contact.kind),
            "standing": _standing(contact),
            "chosen": contact.pk in form.contacts,
            "escalates": contact.pk in form.escalate_to,
        }
        for contact in Contact.objects.order_by("name")
    ]
