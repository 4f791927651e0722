"""The only changer of rules: makes, changes, switches and deletes them, each with its audit entry in its transaction.

Whoever makes, changes or switches one on answers for it from then on: its remedies are asked for in their name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from actions import audit
from alerts import states
from alerts.evaluate import rules_gone
from alerts.models import Rule
from alerts.rules import checks, scopes, wanted
from alerts.rules.wanted import Wanted
from pmonitor.problems import Problem, bad

MOST = 1_000  # kept rules: a round's cost grows with them
COPY_OF = 70  # characters of a name that its copies begin with


def make(user: Any, given: Wanted, address: str | None = None) -> Rule:
    """Record a new rule. The caller has checked the role.

    Raises Problem: 400 naming wrong fields, 409 when there are too many rules.
    """
    if found := checks.wrong(given, user):
        raise bad(found)
    given = wanted.whole(given)
    with _free_name(), transaction.atomic():
        if Rule.objects.kept().count() >= MOST:
            raise Problem(409, _("There are %(n)s rules, which is as many as there may be.") % {"n": MOST})
        rule = Rule.objects.create(**wanted.columns(given), **_by(user))
        _tell_contacts(rule, given)
        _write("rule.made", user, rule, address, {"scope": given.scope} if given.scope else {})
    return rule


def change(user: Any, rule: Rule, given: Wanted, seen: str = "", address: str | None = None) -> Rule:
    """Let it be as given from now on; seen: `wanted.stamp` of what the user changes, empty where they did not look.

    Returns it as it is then. Raises Problem: 400 naming wrong fields, 409 when somebody was faster; PermissionDenied.
    """
    _may(user, rule)
    if found := checks.wrong(given, user, rule):
        raise bad(found)
    given = wanted.whole(given)
    with _free_name(), transaction.atomic():
        here = _locked(user, rule)
        was = wanted.of(here)
        if seen and seen != wanted.stamp(was):
            raise Problem(409, _("Somebody changed this rule while you did: look at it as it is now, then save again."))
        if changed := _changed(was, given):
            again = any(getattr(was, name) != getattr(given, name) for name in wanted.WATCHED)
            version = here.version + 1 if again else here.version
            _update(here, **wanted.columns(given), **_by(user), version=version)
            _tell_contacts(here, given)
            _write("rule.changed", user, here, address, {"changed": changed})
            if was.enabled and not given.enabled:
                rules_gone.forget(here, states.RULE_OFF)
    return here


def switch(user: Any, rule: Rule, enabled: bool, address: str | None = None) -> Rule:
    """Switch it on, in the user's name, or off, which closes its incidents; nothing happens to one that is so already.

    Raises Problem 409 when it is gone; PermissionDenied; 400 when the user may not have it as it is.
    """
    _may(user, rule)
    if enabled and (found := checks.wrong(wanted.of(rule), user, rule)):
        raise bad(found)
    with transaction.atomic():
        here = _locked(user, rule)
        if here.enabled != enabled:
            _update(here, enabled=enabled, **(_by(user) if enabled else {}))
            _write("rule.enabled" if enabled else "rule.disabled", user, here, address, {})
            if not enabled:
                rules_gone.forget(here, states.RULE_OFF)
    return here


def delete(user: Any, rule: Rule, address: str | None = None) -> None:
    """It watches no more; its incidents are closed and kept, and so are its records. 409 when it is gone already."""
    _may(user, rule)
    with transaction.atomic():
        here = _locked(user, rule)
        _update(here, deleted_at=timezone.now(), enabled=False)
        rules_gone.forget(here, states.RULE_DELETED)
        _write("rule.deleted", user, here, address, {})


def copy_of(rule: Rule) -> Wanted:
    """The same under a name of its own, to be made."""
    taken = set(Rule.objects.kept().values_list("name", flat=True))
    first, number = rule.name[:COPY_OF].rstrip(), 2
    while (name := f"{first} {number}") in taken:
        number += 1
    return wanted.of(rule)._replace(name=name)


def may_change(user: Any, rule: Rule) -> bool:
    """Whether the rule reaches no further than the user; the caller has checked the role."""
    return scopes.may_use(user, rule.scope)


def gone() -> Problem:
    """What is said to who would change a rule that is deleted."""
    return Problem(409, _("Somebody deleted this rule meanwhile."))


def _may(user: Any, rule: Rule) -> None:
    if rule.deleted_at:
        raise gone()
    if not may_change(user, rule):
        raise PermissionDenied(_("This rule is for more servers than yours."))


def _locked(user: Any, rule: Rule) -> Rule:
    here: Rule | None = Rule.objects.kept().select_for_update().filter(pk=rule.pk).first()
    if here is None:
        raise gone()
    _may(user, here)
    return here


def _update(rule: Rule, **facts: Any) -> None:
    for name, value in facts.items():
        setattr(rule, name, value)
    rule.save(update_fields=list(facts))


def _tell_contacts(rule: Rule, given: Wanted) -> None:
    rule.contacts.set(given.contacts)
    rule.escalate_to.set(given.escalate_to)


def _changed(was: Wanted, now: Wanted) -> dict[str, list[Any]]:
    """The names of what is otherwise, each with both of its values."""
    told = {}
    for name in Wanted._fields:
        before, after = getattr(was, name), getattr(now, name)
        if (sorted(before) != sorted(after)) if name in wanted.MANY else (before != after):
            told[name] = [before, after]
    return told


def _by(user: Any) -> dict[str, Any]:
    return {"made_by": user, "made_by_name": audit.name_of(user), "made_at": timezone.now()}


def _write(event: str, user: Any, rule: Rule, address: str | None, facts: dict[str, Any]) -> None:
    told = {"rule": rule.pk, **facts}
    audit.write(event, actor=audit.name_of(user), user=user, address=address, target=rule.name, facts=told)


@contextmanager
def _free_name() -> Iterator[None]:
    """Two who choose the same name at once: the second is told so."""
    try:
        yield
    except IntegrityError as error:
        if "one_rule_of_a_name" in str(error):
            raise bad({"name": checks.taken()}) from error
        raise
