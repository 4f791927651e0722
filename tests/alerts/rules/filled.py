"""The editor as a browser fills it in, and what it says."""

from __future__ import annotations

import re
from typing import Any

from alerts.rules import forms, wanted
from tests.alerts.rules.making import MEMORY

LIST, NEW = "/alerts/rules/", "/alerts/rules/new/"
HTMX = {"HX-Request": "true"}


def typed(given: wanted.Wanted = MEMORY, /, **changed: str) -> dict[str, Any]:
    """What a browser sends of the form with this rule in it."""
    form = forms.filled(wanted.whole(given))
    sent = {name: value for name, value in form.given.items() if value or name not in ("together", "remedy_protected")}
    return {**sent, "contacts": list(form.contacts), "escalate_to": list(form.escalate_to), **changed}


def errors(shown: str) -> dict[str, str]:
    """The sentences under the fields."""
    return dict(re.findall(r'id="rule-(\w+)-e"><svg.*?</svg>([^<]*)</span>', shown))


def limit_shown(shown: str) -> str:
    """What stands at the preview's limit: it is as far down as the line."""
    (line,) = re.findall(r'<path class="limit" d="M0 ([\d.]+)H1000"/>', shown)
    ((down, said),) = re.findall(r'<text x="100%" y="([\d.]+)%" dy="[^"]*">([^<]*)</text>', shown)
    assert down == line
    return str(said)


def typed_in(shown: str) -> dict[str, str]:
    """What the form's fields hold as they are shown."""
    form = shown.split('<form class="panel"')[1]
    held = dict(re.findall(r'<input [^>]*?name="(\w+)"[^>]*? value="([^"]*)"', form))
    boxes = re.findall(r'<input type="(?:checkbox|radio)" name="(\w+)" ?(?:value="([^"]*)")?( checked)?', form)
    held = {name: value for name, value in held.items() if name not in {box for box, _value, _chosen in boxes}}
    held |= {name: value or "on" for name, value, chosen in boxes if chosen}
    for name, options in re.findall(r'<select [^>]*?name="(\w+)"[^>]*>(.*?)</select>', form, re.S):
        held[name] = re.findall(r'value="([^"]*)" selected', options)[0]
    return held
