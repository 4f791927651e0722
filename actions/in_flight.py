"""The dashboard's cell of commands that are not over yet."""

from __future__ import annotations

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from actions import states
from actions.models import Command
from servers.fleet import Total
from servers.models import Server


def total(servers: QuerySet[Server]) -> Total:
    """How many commands are queued, delivered or running on these servers."""
    count = Command.objects.filter(server__in=servers, state__in=states.ACTIVE).count()
    return Total("sum-commands", reverse("actions:audit"), "command", _("Commands"), count, _("in flight"))
