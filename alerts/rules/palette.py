"""What the palette finds of rules: by name."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import pgettext

from alerts.models import Rule
from pmonitor.visible import visible
from servers.search import MOST, Hit


def rules(user: Any, words: str) -> list[Hit]:
    """Rules that have all the words in their names, also those that are off."""
    parts = words.split()
    found = Rule.objects.visible_to(user).order_by("name") if parts else Rule.objects.none()
    for word in parts:
        found = found.filter(name__icontains=word)
    listed = found.values_list("pk", "name")[:MOST]
    return [
        Hit("bell", visible(name), pgettext("alert", "rule"), reverse("rules:one", args=[pk])) for pk, name in listed
    ]
