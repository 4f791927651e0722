"""Why there is no process table of a moment, in a sentence with the nearest ones."""

from __future__ import annotations

from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from pmonitor.templatetags import show
from servers import state_words
from servers.history import CHUNKS, LEVELS
from servers.models import HubAbsence


def not_there(
    moment: datetime,
    now: datetime,
    before: datetime | None,
    after: datetime | None,
    away: HubAbsence | None = None,
) -> SafeString:
    """Still to come, no longer kept, or not reported; before and after: when the nearest samples were taken."""
    kept = LEVELS[CHUNKS].kept
    if moment > now:
        said = _("This moment is still to come.")
    elif moment < now - kept:
        said = ngettext(
            "Process tables are kept for %(days)s day: this moment is longer ago.",
            "Process tables are kept for %(days)s days: this moment is longer ago.",
            kept.days,
        ) % {"days": show.plain(kept.days)}
    else:
        said = _("No process table was reported at this moment.")
        if away:
            said = f"{said} {state_words.AWAY_WORDS[away.why]}."
    return format_html("<b>{}</b> {}", said, _nearest(before, after))


def _nearest(before: datetime | None, after: datetime | None) -> SafeString | str:
    if before and after:
        return format_html(_("The last one before is from {}, the first one after from {}."), *_full(before, after))
    if before:
        return format_html(_("The newest one is from {}."), *_full(before))
    if after:
        return format_html(_("The oldest one is from {}."), *_full(after))
    return _("None of this server is kept.")


def _full(*times: datetime) -> list[SafeString]:
    return [show.at(time, "full") for time in times]
