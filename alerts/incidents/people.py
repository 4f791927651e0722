"""Who an incident may be given to."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import Q

from actions.audit import name_of
from alerts.models import Incident
from pmonitor import access
from pmonitor.visible import visible

MOST = 500  # people offered


def who_may_have(incident: Incident) -> list[tuple[int, str]]:
    """The operators and admins who see all or a part of it, by name: (number, name). Two queries at the most."""
    acting = Q(groups__name__in=(access.OPERATOR, access.ADMIN)) | Q(is_superuser=True)
    groups = _groups(incident)
    sees = Q(groups__name=access.ADMIN) | Q(is_superuser=True) | Q(scope__everything=True) | Q(scope__groups__in=groups)
    found = User.objects.filter(acting, sees, is_active=True).distinct().order_by("pk")[:MOST]
    return sorted(((user.pk, visible(name_of(user))) for user in found), key=lambda pair: pair[1].casefold())


def _groups(incident: Incident) -> list[int]:
    """The server groups it is about."""
    if incident.server is not None:
        return [incident.server.group_id] if incident.server.group_id else []
    found = Incident.objects.filter(whole=incident, server__group__isnull=False)
    return list(found.order_by().values_list("server__group", flat=True).distinct())
