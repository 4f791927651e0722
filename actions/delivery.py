"""How long a command may wait for its server: the part of a form that asks for it, and its answer in seconds."""

from __future__ import annotations

from datetime import timedelta
from math import ceil
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from actions import zones
from actions.ask import DELIVER_WITHIN

UNTIL = "until"
WITHIN: tuple[tuple[str, Any], ...] = (  # seconds
    ("60", gettext_lazy("60 s")),
    ("600", gettext_lazy("10 min")),
    ("3600", gettext_lazy("1 h")),
    ("86400", gettext_lazy("1 day")),
)
CHOICES = (*WITHIN, (UNTIL, pgettext_lazy("deliver within", "until a date…")))
WRITTEN = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M")  # as a browser's field or a person writes it


class Delivery(forms.Form):
    """One of a few times to wait, or until a date and time in the zone that the page names."""

    within = forms.ChoiceField(choices=CHOICES, initial="60")
    until = forms.DateTimeField(
        input_formats=WRITTEN,
        required=False,
        error_messages={"invalid": gettext_lazy("Write a date and time such as 2026-11-28 03:00.")},
    )
    zone = forms.CharField(max_length=64, required=False)  # UTC; the page's script says the reader's own

    def clean(self) -> dict[str, Any]:
        """Bring the choice to seconds from now, `deliver_within`; a wrong date is said at its field."""
        cleaned = super().clean() or {}
        within = cleaned.get("within")
        if within == UNTIL and "until" not in self.errors:
            self._keep_until(cleaned)
        elif within and within != UNTIL:
            cleaned["deliver_within"] = int(within)
        return cleaned

    def _keep_until(self, cleaned: dict[str, Any]) -> None:
        local = cleaned.get("until")
        if local is None:
            return self.add_error("until", _("Say until when it may wait."))
        until = zones.moment(local.replace(tzinfo=None), zones.known(cleaned.get("zone")))
        seconds = ceil((until - timezone.now()) / timedelta(seconds=1))
        if seconds < DELIVER_WITHIN[0]:
            return self.add_error("until", _("Choose a time that is not over yet."))
        if seconds > DELIVER_WITHIN[1]:
            return self.add_error("until", _("Choose a time in the next 30 days."))
        cleaned["deliver_within"] = seconds
        return None


def context(form: Delivery | None) -> dict[str, Any]:
    """What `_within.html` shows; form: one that came back, with what was chosen."""
    data = form.data if form else {}
    errors = form.errors.get_json_data().get("until", []) if form else []
    return {
        "within": CHOICES,
        "within_chosen": data.get("within") or "60",
        "until": data.get("until", ""),
        "until_error": " ".join(str(error["message"]) for error in errors),
    }
