"""The dashboard's cell of commands that are not over yet."""

from __future__ import annotations

from django.db.models import Count, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from actions import states, waiting
from actions.models import Command
from servers.fleet import Total
from servers.models import Server


def total(servers: QuerySet[Server]) -> Total:
    """How many commands are queued, delivered or running on these servers, and how many of them wait."""
    active = Command.objects.filter(server__in=servers, state__in=states.ACTIVE)
    count = active.aggregate(all=Count("pk"), waiting=Count("pk", filter=waiting.held()))
    waits = ngettext("%(n)s waits", "%(n)s wait", count["waiting"]) % {"n": count["waiting"]}
    note = waits if count["waiting"] else _("in flight")
    return Total("sum-commands", reverse("actions:audit"), "command", _("Commands"), count["all"], note)
