"""Queries on silences; each starts from who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from alerts.rules import scopes
from pmonitor import access

if TYPE_CHECKING:
    from alerts.quiet.models import Silence  # noqa: F401


class SilenceQuerySet(models.QuerySet["Silence"]):
    def visible_to(self, user: Any) -> SilenceQuerySet:
        """Those that are for a server in the user's scope; all of them for admins."""
        role = access.role_of(user)
        if role is None:
            return self.none()
        if role == access.ADMIN:
            return self
        places = scopes.places_of(user)
        lines = self.model.objects.order_by().values_list("scope", flat=True).distinct()
        return self.filter(scope__in=[line for line in lines if scopes.of(scopes.read(line), places)])
