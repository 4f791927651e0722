"""What a rule did about an incident, in a sentence of its timeline; and its events in the audit trail."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from actions import on_behalf, verbs
from alerts import states
from alerts.models import IncidentEntry
from alerts.remedy import outcomes
from pmonitor.visible import visible
from servers import state_words

EVENTS: dict[str, Any] = {  # of the audit trail
    "remedy.acted": gettext_lazy("Acted by itself"),
    "remedy.held": gettext_lazy("Did not act"),
    "remedy.gave_up": gettext_lazy("Gave up acting"),
}
GLYPHS = {"remedy.acted": "running", "remedy.held": "refused", "remedy.gave_up": "failed"}
WHY: dict[str, Any] = {
    outcomes.GROUPED: gettext_lazy("It did not act: many servers at once are for people to look at."),
    outcomes.SILENCED: gettext_lazy("It did not act: silenced, as in maintenance."),
    outcomes.SNOOZED: gettext_lazy("It did not act: the incident is snoozed."),
    outcomes.TAKEN: gettext_lazy("It did not act: %(said)s has the incident in hand."),
    outcomes.SILENT: gettext_lazy("It did not act: the server is silent."),
    outcomes.NO_SERVICE: gettext_lazy("It did not act: neither the rule nor the incident names a service."),
    outcomes.RIGHTS: gettext_lazy("It did not act. %(said)s"),
    outcomes.PROTECTED: gettext_lazy("It did not act: %(target)s is protected, and the rule may not act on that."),
    outcomes.REFUSED: gettext_lazy("It did not act: the hub refused. %(said)s"),
}
ENDED: dict[str, Any] = {
    outcomes.SUCCEEDED: gettext_lazy("%(what)s: succeeded, verified."),
    outcomes.FAILED: gettext_lazy("%(what)s: it did not succeed."),
    outcomes.UNKNOWN: gettext_lazy("%(what)s: the outcome is not known."),
}


def sentence(entry: IncidentEntry) -> str:
    """What a line of kind ACTED, NOT_ACTED, ACT_ENDED or GAVE_UP says; safe characters, not escaped."""
    facts = entry.facts
    target, said = visible(str(facts.get("target", ""))), visible(str(facts.get("said", "")))
    what = verbs.titled(facts.get("cmd", ""), target)
    if entry.kind == states.NOT_ACTED:
        if "lost" in facts:
            said = on_behalf.sentence(facts["lost"], visible(facts["name"]))
        return str(WHY[facts["why"]]) % {"target": target, "said": said}
    if entry.kind == states.ACT_ENDED:
        return str(ENDED[facts["outcome"]]) % {"what": what}
    if entry.kind == states.GAVE_UP:
        return _gave_up(facts, target)
    if "joined" in facts:
        return _("%(what)s: %(who)s had asked for it already.") % {"what": what, "who": visible(facts["joined"])}
    return _("%(what)s, as a rollout.") % {"what": what} if "rollout" in facts else f"{what}."


def _gave_up(facts: dict[str, Any], target: str) -> str:
    words = {"target": target, "n": facts["most"], "span": state_words.span(facts["withinSec"])}
    return (
        ngettext(
            "It gave up on %(target)s: it acted %(n)s time in %(span)s, as often as it may.",
            "It gave up on %(target)s: it acted %(n)s times in %(span)s, as often as it may.",
            facts["most"],
        )
        % words
    )
