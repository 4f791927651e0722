"""Queries on incidents and what belongs to them; each starts from who asks."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from alerts import states
from servers.models import Server

if TYPE_CHECKING:
    from alerts.models import Incident, Rule  # noqa: F401


class RuleQuerySet(models.QuerySet["Rule"]):
    def kept(self) -> RuleQuerySet:
        """All but deleted ones, which stay for their incidents."""
        return self.filter(deleted_at=None)

    def visible_to(self, user: Any) -> RuleQuerySet:
        """Every rule: what is watched for is no secret to who may see any server, and says nothing of one."""
        return self.kept()

    def once_visible_to(self, user: Any) -> RuleQuerySet:
        """Deleted ones, too: for who is just changing one, and is to be told that somebody deleted it."""
        return self.all()


class IncidentQuerySet(models.QuerySet["Incident"]):
    def visible_to(self, user: Any) -> IncidentQuerySet:
        """The incidents on servers in the user's scope; of one of many servers, any with a member there."""
        return self.on(Server.objects.visible_to(user))

    def on(self, servers: models.QuerySet[Server], among: Collection[str] = states.STATES) -> IncidentQuerySet:
        """The incidents on these servers; one of many servers, if a member there is in one of these states."""
        members = self.model.objects.filter(whole=OuterRef("pk"), server__in=servers, state__in=among)
        return self.filter(Q(server__in=servers) | (Q(server=None) & Exists(members)))

    def live_on(self, servers: models.QuerySet[Server]) -> IncidentQuerySet:
        """Those that are not over on these servers, though one of many may go on elsewhere."""
        return self.live().on(servers, states.LIVE)

    def untaken_on(self, servers: models.QuerySet[Server]) -> IncidentQuerySet:
        """Those that nobody has taken; of one of many servers, there."""
        return self.filter(state=states.OPEN).on(servers, (states.OPEN,))

    def live(self) -> IncidentQuerySet:
        """Those that are not over."""
        return self.filter(state__in=states.LIVE)

    def quiet(self) -> IncidentQuerySet:
        """Live ones that nobody is told of now: silenced, or snoozed."""
        return self.live().filter(Q(silence__isnull=False) | Q(snoozed_until__gt=Now()))

    def loud(self) -> IncidentQuerySet:
        """Live ones that are neither silenced nor snoozed."""
        return self.live().filter(Q(silence=None), Q(snoozed_until=None) | Q(snoozed_until__lte=Now()))

    def listed(self) -> IncidentQuerySet:
        """Those that lists show by themselves: not the members of one of many servers."""
        return self.filter(whole=None)
