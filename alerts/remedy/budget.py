"""How often a rule may act on one service: so many times within a time, and not again before its cooldown is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from alerts.models import Remedy, Rule

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 7164002))"


def lock(remedy: Remedy) -> None:
    """Let no other worker count for the same rule, server and service until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(LOCK, [f"{remedy.rule_id} {remedy.server_id} {remedy.target}"])


def spent(remedy: Remedy, now: datetime) -> list[datetime]:
    """When the rule acted on this service, newest first, as far as it counts; what others had asked for does not."""
    rule = remedy.rule
    since = now - timedelta(seconds=max(rule.remedy_within_sec, rule.remedy_cooldown_sec))
    same = Remedy.objects.filter(rule=rule, server=remedy.server_id, target=remedy.target, joined=False, at__gt=since)
    acted = same.filter(Q(command__isnull=False) | Q(rollout__isnull=False))
    return list(acted.order_by("-at").values_list("at", flat=True)[: max(1, rule.remedy_most)])


def next_at(rule: Rule, spent: Sequence[datetime], now: datetime) -> datetime | None:
    """When the rule may act: now, or when its cooldown is over; None: its budget is spent then. Pure."""
    cooldown, within = timedelta(seconds=rule.remedy_cooldown_sec), timedelta(seconds=rule.remedy_within_sec)
    when = max(now, min(spent[0], now) + cooldown) if spent else now
    return when if sum(at > when - within for at in spent) < rule.remedy_most else None
