"""How often rules fired: incidents that the user may see, one of many servers counted once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from alerts.models import Incident
from alerts.querysets import RuleQuerySet

LATELY = timedelta(days=30)


def counted(rules: RuleQuerySet, user: Any) -> Any:
    """The rules with `fired`, how often in the last 30 days, and `last_fired`, None for never."""
    of_it = Incident.objects.visible_to(user).listed().filter(rule=OuterRef("pk"))
    lately = of_it.filter(opened_at__gte=timezone.now() - LATELY).order_by().values("rule")
    return rules.annotate(
        fired=Coalesce(Subquery(lately.annotate(n=Count("pk")).values("n")), 0),
        last_fired=Subquery(of_it.order_by("-opened_at").values("opened_at")[:1]),
    )
