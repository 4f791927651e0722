"""What the palette finds of rules: by name."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import pgettext

from alerts.models import Rule
from alerts.rules import names
from servers.search import MOST, Hit


def rules(user: Any, words: str) -> list[Hit]:
    """Rules that have all the words in their names, also those that are off."""
    parts = words.split()
    found = Rule.objects.visible_to(user).order_by("name") if parts else Rule.objects.none()
    for word in parts:
        found = found.filter(Q(name__icontains=word) | Q(name__in=names.having(word)))
    listed = found.values_list("pk", "name")[:MOST]
    return [
        Hit("bell", names.shown(name), pgettext("alert", "rule"), reverse("rules:one", args=[pk]))
        for pk, name in listed
    ]
