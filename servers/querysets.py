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
        groups: Any = self.model._meta.get_field("group").related_model
        scopes: Any = groups._meta.get_field("scopes").related_model
        # Subqueries and no joins: nothing is found twice, so nothing has to be made distinct.
        in_groups = models.Q(group__in=groups.objects.filter(scopes__user=user))
        return self.filter(in_groups | models.Exists(scopes.objects.filter(user=user, everything=True)))


class ServiceQuerySet(models.QuerySet["Service"]):
    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> ServiceQuerySet:
        """The services of the servers in the user's scope."""
        servers: Any = self.model._meta.get_field("server").related_model
        return self.filter(server__in=servers.objects.visible_to(user))

    def named(self, name: str) -> ServiceQuerySet:
        """The services of this name, or with it as an alias; their own names come first."""
        clean = name.replace("\0", "")
        own = models.Case(models.When(name=clean, then=0), default=1)
        return self.filter(models.Q(name=clean) | models.Q(aliases__contains=[clean])).order_by(own, "name")
