"""Queries on commands and audit entries; each starts from who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from pmonitor import access
from servers.models import Server

if TYPE_CHECKING:
    from actions.models import AuditEntry, Command, Read  # noqa: F401


class CommandQuerySet(models.QuerySet["Command"]):
    def visible_to(self, user: Any) -> CommandQuerySet:
        """The commands on the servers in the user's scope."""
        return self.filter(server__in=Server.objects.visible_to(user))


class ReadQuerySet(models.QuerySet["Read"]):
    def visible_to(self, user: Any) -> ReadQuerySet:
        """The user's own questions to servers that are in their scope still: an answer is for who asked."""
        return self.filter(server__in=Server.objects.visible_to(user), asked_by=user)


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def visible_to(self, user: Any) -> AuditQuerySet:
        """The entries of the servers in the user's scope; those of no server only to admins."""
        if access.role_of(user) == access.ADMIN:
            return self
        return self.filter(server__in=Server.objects.visible_to(user))
