"""What is said of a service that is stopped for a time: in its row, on its command's page, on the dashboard."""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from actions import states, verdicts
from actions.models import Lease
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.states import SILENT

ENDED: dict[str, Promise] = {
    states.STARTED: gettext_lazy("Its agent started it again at {}."),
    states.BOOTED: gettext_lazy("It was active already, seen at {}: it came up after the server's boot."),
    states.OTHERS: gettext_lazy("It was started by someone else, seen at {}."),
    states.COMMAND: gettext_lazy("Another command started it, seen at {}."),
    states.KEPT: gettext_lazy("Kept stopped since {}: nothing starts it by itself."),
    states.NOT_STARTED: gettext_lazy("It was not started again; its agent gave up at {}."),
    states.LOST: gettext_lazy("Its agent knows nothing of it any more, seen at {}: nothing starts it by itself."),
}


def glyph(lease: Lease) -> str:
    """The data-state it is shown with."""
    if lease.state in states.LEASE_ENDED:
        return "failed"
    return "warning" if lease.overdue_at or lease.attempts else "running" if lease.state == states.STARTING else "todo"


def brief(lease: Lease) -> SafeString:
    """For a row: "back in 12:34"."""
    if lease.state in states.LEASE_ENDED:
        return _titled(_("not started again"))
    if lease.overdue_at:
        return format_html(_("due since {}"), show.at(lease.until))
    if lease.state == states.HELD:
        return format_html(_("back in {}"), show.countdown(lease.until))
    return _titled(_("start failed, trying again") if lease.attempts else _("starting again"))


def _titled(words: str) -> SafeString:
    return format_html('<span title="{}">{}</span>', words, words)


def sentence(lease: Lease) -> SafeString:
    """The whole story, and what proves it."""
    if lease.state in states.LEASE_ENDED:
        parts: list[Any] = [format_html(str(ENDED[lease.state]), show.at(lease.ended_at))]
        parts += [verdicts.of(lease.verdict, lease.facts)] if lease.verdict else []
    elif lease.overdue_at:
        parts = _late(lease)
    else:
        parts = [format_html(_("Its agent starts it again at {}, in {}."), *_end(lease))]
    if lease.attempts > 1 or (lease.attempts and lease.state != states.STARTED):
        parts.append(_("Attempts: %(n)s.") % {"n": show.plain(lease.attempts)})
    if lease.reason:
        parts.append(_("The agent says: %(reason)s") % {"reason": visible(lease.reason)})
    return format_html_join(" ", "{}", ((part,) for part in parts))


def _end(lease: Lease) -> tuple[SafeString, SafeString]:
    return show.at(lease.until), show.countdown(lease.until)


def _late(lease: Lease) -> list[SafeString]:
    newest = getattr(lease.server, "newest", None)
    if lease.server.state == SILENT and newest is not None:
        said = _("It should have been started at {}; the server has been silent since {}.")
        late = format_html(said, show.at(lease.until), show.at(newest.received_at))
        return [
            late,
            format_html("{}", _("Its agent starts it without the hub; that will be told when it reports again.")),
        ]
    return [
        format_html(_("It should have been started at {}, and its agent has not told of it."), show.at(lease.until))
    ]
