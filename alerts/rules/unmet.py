"""What a rule asks for that nothing answers to today: said to who saves it, and saved nevertheless."""

from __future__ import annotations

from django.db.models import Q
from django.utils.translation import gettext as _

from alerts.rules import scopes
from alerts.rules.wanted import Wanted
from pmonitor.visible import visible
from servers.models import Service


def warnings(given: Wanted) -> dict[str, str]:
    """By the field's name on the wire: a remedy for a service that no server of the scope has reported."""
    target = given.remedy_target
    if not given.remedy_cmd or not target or scopes.wrong(given.scope):
        return {}
    servers = scopes.of(scopes.read(given.scope), scopes.places())
    named = Q(name=target) | Q(aliases__contains=[target])
    if not servers or Service.objects.filter(named, server__in=servers).exists():
        return {}
    said = _("no server that the rule applies to has reported a service named %(target)s; the rule cannot act there")
    return {"remedy.target": said % {"target": visible(target)}}
