"""Capsules as their incidents' pages show them."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.template.loader import get_template

from alerts.incidents import capsule, capsule_page
from alerts.models import Incident


def page(incident: Incident, user: User) -> str:
    """The capsule as its incident's page includes it."""
    incident.refresh_from_db()
    context = {"capsule": capsule_page.context(incident, user)}
    html: str = get_template("_capsule.html").render(context)
    return html


def shown(incident: Incident, user: User) -> str:
    """The same, once the worker has looked."""
    capsule.fill()
    return page(incident, user)
