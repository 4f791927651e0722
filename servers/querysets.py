"""Queries on servers and services; each starts from who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import models

from pmonitor import access

if TYPE_CHECKING:
    from servers.models import Server, Service  # noqa: F401


class ServerQuerySet(models.QuerySet["Server"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> ServerQuerySet:
        """The servers in the user's scope: all for admins, none without a scope."""
        role = access.role_of(user)
        if role is None:
            return self.none()
        if role == access.ADMIN:
            return self
        in_scope = models.Q(group__scopes__user=user) | models.Exists(_everything(user))
        return self.filter(in_scope).distinct()


class ServiceQuerySet(models.QuerySet["Service"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> ServiceQuerySet:
        """The services of the servers in the user's scope."""
        servers: Any = self.model._meta.get_field("server").related_model
        return self.filter(server__in=servers.objects.visible_to(user))


def _everything(user: Any) -> models.QuerySet[Any]:
    scope = type(user).scope.related.related_model
    return scope.objects.filter(user=user, everything=True)
