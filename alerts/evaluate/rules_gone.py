"""What becomes of what stands of a rule that is disabled or deleted: nothing stands any more, its incidents close.

Who changes a rule's row has it locked, in the transaction in which it calls this: a round that evaluates the rule at
that time has the row locked, too, so that the change comes after all that the round made of it, and the next round
does not see the rule. A rule whose conditions changed needs no call: with its `version` another, it begins anew by
itself, and what fires stays until the new conditions do not hold.
"""

from __future__ import annotations

from django.utils import timezone

from alerts import moves
from alerts.models import Incident, Rule, Standing


def forget(rule: Rule, reason: str) -> list[Incident]:
    """Close the rule's live incidents for this reason (states.RULE_OFF, RULE_DELETED); returns them.

    In the transaction that changes the rule, after its row was changed. Enabled again, it begins as a new one does.
    """
    Rule.objects.filter(pk=rule.pk).update(evaluated_until=None)  # locks the row, if the caller has not
    Standing.objects.filter(rule=rule).delete()
    now = timezone.now()
    live = Incident.objects.live().filter(rule=rule, server__isnull=False).order_by("pk")
    return moves.close(moves.Closing(number, now, reason) for number in live.values_list("pk", flat=True))
