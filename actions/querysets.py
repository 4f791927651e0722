"""Queries on commands and audit entries; each starts from who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Exists, OuterRef, Q

from actions import states
from pmonitor import access
from servers.models import Server, Service

if TYPE_CHECKING:
    from actions.models import AuditEntry, Command, Lease, Read  # noqa: F401


class CommandQuerySet(models.QuerySet["Command"]):
    def visible_to(self, user: Any) -> CommandQuerySet:
        """The commands on the servers in the user's scope."""
        return self.filter(server__in=Server.objects.visible_to(user))


class ReadQuerySet(models.QuerySet["Read"]):
    def visible_to(self, user: Any) -> ReadQuerySet:
        """The user's own questions to servers that are in their scope still: an answer is for who asked."""
        return self.filter(server__in=Server.objects.visible_to(user), asked_by=user)


class LeaseQuerySet(models.QuerySet["Lease"]):
    def visible_to(self, user: Any) -> LeaseQuerySet:
        """The leases on the servers in the user's scope."""
        return self.filter(server__in=Server.objects.visible_to(user))

    def open(self) -> LeaseQuerySet:
        """Those that an agent holds still."""
        return self.filter(state__in=states.LEASE_OPEN)

    def shown(self) -> LeaseQuerySet:
        """Those a person should see: open ones, and the last one of a service that was not started again."""
        active = Service.objects.filter(server=OuterRef("server"), name=OuterRef("target"), active_state="active")
        newer = self.model.objects.filter(server=OuterRef("server"), target=OuterRef("target"), pk__gt=OuterRef("pk"))
        not_back = Q(state__in=(states.NOT_STARTED, states.LOST)) & ~Exists(active) & ~Exists(newer)
        return self.filter(Q(state__in=states.LEASE_OPEN) | not_back).select_related("command", "server__newest")


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def visible_to(self, user: Any) -> AuditQuerySet:
        """The entries of the servers in the user's scope, and of its rollouts; those of neither only to admins."""
        if access.role_of(user) == access.ADMIN:
            return self
        rollouts: Any = self.model._meta.get_field("rollout").related_model
        of_servers = models.Q(server__in=Server.objects.visible_to(user), rollout=None)
        return self.filter(of_servers | models.Q(rollout__in=rollouts.objects.visible_to(user)))
