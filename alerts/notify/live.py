"""The live topic `contact:<number>`: one contact's row in the list."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string

from alerts.models import Contact
from alerts.notify import page
from pmonitor import access
from pmonitor.live import Topic, View, by_id


def row(key: str, view: View) -> tuple[str, dict[str, str]]:
    """The whole row; one that was deleted goes."""
    try:
        shown = page.one(int(key), view.role)
    except Contact.DoesNotExist:
        return "", {"row": f'<tr id="contact-{int(key)}" hx-swap-oob="delete"></tr>'}
    return shown["version"], {"row": render_to_string("_contact_row.html", {"row": shown})}


def may_watch(user: Any, keys: set[str]) -> set[str]:
    """Any contact, for whoever may see the list."""
    numbers = {key for key in keys if key.isdecimal() and len(key) < 19}  # what a bigint holds
    return numbers if access.has_role(user, access.OPERATOR) else set()


TOPICS = {"contact": Topic(may_watch, by_id(row), every=0.25)}
