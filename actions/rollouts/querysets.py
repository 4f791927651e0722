"""Queries on rollouts; each starts from who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from pmonitor import access
from servers.models import Server

if TYPE_CHECKING:
    from actions.rollouts.models import Rollout  # noqa: F401


class RolloutQuerySet(models.QuerySet["Rollout"]):
    def visible_to(self, user: Any) -> RolloutQuerySet:
        """The rollouts all of whose servers are in the user's scope: what is pushed does not depend on who looks."""
        role = access.role_of(user)
        if role is None:
            return self.none()
        if role == access.ADMIN:
            return self
        steps: Any = self.model._meta.get_field("steps").related_model
        beyond = steps.objects.filter(rollout=models.OuterRef("pk")).exclude(server__in=Server.objects.visible_to(user))
        return self.filter(~models.Exists(beyond))
