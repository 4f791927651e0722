"""Alerts in the Django admin, part by part."""

from __future__ import annotations

from alerts.notify.admin import ContactAdmin, NotificationAdmin
from alerts.rules.admin import RuleAdmin

__all__ = ["ContactAdmin", "NotificationAdmin", "RuleAdmin"]
