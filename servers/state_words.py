"""A server's states in words and on the timeline: its lane, reasons of gaps, and the honest uptime figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext, pgettext_lazy

from pmonitor import dates
from pmonitor.templatetags import show
from servers import lanes, moments, spells, state_history, states
from servers.curves import Axis, Value
from servers.models import HubAbsence, Server
from servers.spells import UNKNOWN, Spell
from servers.state_history import States
from servers.states import SILENT, UP

FIGURE_DAYS = 30
MOST_TOLD = 12  # spells in a lane's label, and boots on it
THINNEST = 0.25  # percent of a lane: less would not be seen
A_DAY, A_YEAR = timedelta(days=1), timedelta(days=365)
AWAY, QUIET, NOTHING = "away", "silent", ""  # why there is no data
DRAWN = {  # in the lane
    UP: 'data-state="up" fill="var(--c)" opacity=".5" y="35%" height="30%"',
    SILENT: 'fill="var(--ink-2)" y="45%" height="10%"',
}
HATCHED = 'fill="url(#gap)" stroke="var(--line-2)" y="20%" height="60%"'
GAPS: dict[str, Promise] = {
    AWAY: gettext_lazy("Hub away"),
    QUIET: gettext_lazy("Server silent"),
    NOTHING: gettext_lazy("No data"),
}
STATES: dict[str, Promise] = {
    UP: pgettext_lazy("server", "Up"),
    SILENT: pgettext_lazy("server", "Silent"),
    UNKNOWN: pgettext_lazy("server", "Not known"),
}
AWAY_WORDS: dict[str, Promise] = {
    HubAbsence.STOPPED: gettext_lazy("Hub away: it was not running"),
    HubAbsence.ASLEEP: gettext_lazy("Hub away: its machine was asleep"),
    HubAbsence.CLOCK: gettext_lazy("Hub away: its clock was set forward"),
    HubAbsence.DATABASE: gettext_lazy("Hub away: its database was away"),
}


class Piece(NamedTuple):
    """A part of the time axis without data, and why."""

    start: datetime
    end: datetime
    why: str


def span(seconds: float) -> str:
    """How long, in its two largest units: 41 min, 6 h 2 min, 3 d."""
    whole, units = int(seconds), show.unit_words()
    parts = [(whole // 86_400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next((place for place, (count, _unit) in enumerate(parts) if count), 3)
    told = [(count, unit) for count, unit in parts[first : first + 2] if count] or [parts[3]]
    return " ".join(f"{show.plain(count)} {units[unit]}" for count, unit in told)


def word(spell: Spell) -> str:
    """What a spell is called: "Silent", "Hub away: it was not running"."""
    return str(AWAY_WORDS.get(spell.why, GAPS[AWAY]) if spell.why else STATES[spell.state])


def lane(found: States, axis: Axis, at: datetime | None = None) -> dict[str, Any]:
    """What `_lanes.html` shows of the states: drawn, each with its words; and all of it as one sentence.

    at: the moment whose state its head tells, where it is not the end.
    """
    then = [spell for spell in found.spells if at is None or spell.start <= at < spell.end]
    return {
        # Not by the template: of two years it would take a fifth of a page's time.
        "parts": mark_safe("".join([_part(spell, axis) for spell in _recorded(found.spells)])),  # noqa: S308  escaped
        "boots": [_boot(at, axis) for at in found.boots[-MOST_TOLD:]],
        "now": word(then[-1]) if then else show.nothing(),
        "label": _label(found, axis),
    }


def gaps(values: Sequence[Value], found: Sequence[Spell], axis: Axis) -> list[dict[str, Any]]:
    """Where there is no data, as x and width in percent, and why; before the first and after the last if known why."""
    edges = [axis.start, *(at for at, _value in values), axis.end]
    pieces: list[Piece] = []
    for before, after in pairwise(edges):
        if after - before > axis.gap:
            inner = before != axis.start and after != axis.end
            pieces += [piece for piece in _reasons(before, after, found, axis.gap) if piece.why or inner]
    return [
        {**_place(piece.start, piece.end, axis), "why": piece.why, "title": _told(str(GAPS[piece.why]), piece, axis)}
        for piece in pieces
    ]


def figure(server: Server, now: datetime | None = None) -> tuple[str, SafeString] | None:
    """How much of the last days it was up, silent, not known, as a name and a value; None before its first report."""
    now = now or timezone.now()
    start = max(now - timedelta(days=FIGURE_DAYS), server.enrolled_at)
    if server.state == states.WAITING or start >= now:
        return None
    found: Sequence[Spell] = state_history.of(server.pk, start, now).spells
    if start == server.enrolled_at:
        found = _recorded(found)  # its first report was still to come
    said = format_html_join(", ", "{}", ((part,) for part in _shares(found)))
    return (_("Last 30 days") if start != server.enrolled_at else _("Since it was added"), said) if said else None


def _shares(found: Sequence[Spell]) -> Iterator[SafeString]:
    words = {
        UP: pgettext("server", "up {}"),
        SILENT: pgettext("server", "silent {}"),
        UNKNOWN: pgettext("server", "not known {}"),
    }
    for state, share in spells.shares(found).items():
        said = format_html(words[state], show.percent(share, 0 if share == int(share) else 1))
        if state == UNKNOWN and (away := spells.lasting(found, UNKNOWN, seen=False)) >= 1:
            said = format_html("{} ({})", said, _("hub away %(span)s") % {"span": span(away)})
        yield said


def _recorded(found: Sequence[Spell]) -> Sequence[Spell]:
    """From the first record on: before it the server may not have been there."""
    return found[1:] if found and found[0].state == UNKNOWN and not found[0].why else found


def _part(spell: Spell, axis: Axis) -> str:
    kind, place = AWAY if spell.why else spell.state, _place(spell.start, spell.end, axis)
    where = f'x="{place["x"]}%" width="{place["width"]}%"'
    title = escape(_told(word(spell), spell, axis))
    return f'<rect data-kind="{kind}" {where} {DRAWN.get(kind, HATCHED)}><title>{title}</title></rect>'


def _boot(at: datetime, axis: Axis) -> dict[str, str]:
    label = _("Rebooted, %(time)s UTC") % {"time": _clock(at, axis, with_day=True)}
    return {"x": f"{axis.x(at) / 10:.2f}", "at": moments.written(at), "label": label}


def _place(start: datetime, end: datetime, axis: Axis) -> dict[str, str]:
    x = axis.x(start) / 10
    return {"x": f"{x:.2f}", "width": f"{max(THINNEST, axis.x(end) / 10 - x):.2f}"}


def _told(words: str, part: Spell | Piece, axis: Axis) -> str:
    """ "Silent, 13:05:10 to 13:09:00 UTC (3 min 50 s)"."""
    with_day = axis.end - axis.start > A_DAY or part.start.date() != part.end.date()
    return _("%(state)s, %(from)s to %(to)s UTC (%(span)s)") % {
        "state": words,
        "from": _clock(part.start, axis, with_day),
        "to": _clock(part.end, axis, with_day),
        "span": span((part.end - part.start).total_seconds()),
    }


def _clock(at: datetime, axis: Axis, with_day: bool) -> str:
    """With its day, and that with its year where the axis would have two of it."""
    if not with_day:
        return f"{at:%H:%M:%S}"
    day = dates.whole(at.date()) if axis.end - axis.start >= A_YEAR else dates.short(at.date())
    return f"{day}, {at:%H:%M:%S}"


def _label(found: States, axis: Axis) -> str:
    """The lane for who does not see it: when it was not up, and that it was otherwise."""
    others = [spell for spell in _recorded(found.spells) if spell.state != UP]
    told = [_told(word(spell), spell, axis) for spell in others[-MOST_TOLD:]]
    told += [_("Rebooted, %(time)s UTC") % {"time": _clock(at, axis, True)} for at in found.boots[-3:]]
    words = {"from": lanes.said(axis.start, axis), "to": lanes.said(axis.end, axis)}
    if not told:
        return _("State from %(from)s to %(to)s UTC: up") % words
    return _("State from %(from)s to %(to)s UTC: %(told)s; up otherwise") % {**words, "told": "; ".join(told)}


def _reasons(start: datetime, end: datetime, found: Iterable[Spell], least: timedelta) -> list[Piece]:
    """A hole in the data cut by its reasons; what is as short as between samples goes with what is beside it."""
    pieces: list[Piece] = []
    for spell in found:
        first, last = max(spell.start, start), min(spell.end, end)
        if first >= last:
            continue
        why = AWAY if spell.why else QUIET if spell.state == SILENT else NOTHING
        if pieces and (why == pieces[-1].why or (why == NOTHING and last - first <= least)):
            pieces[-1] = pieces[-1]._replace(end=last)
        elif pieces and pieces[-1].why == NOTHING and pieces[-1].end - pieces[-1].start <= least:
            pieces[-1] = Piece(pieces[-1].start, last, why)
        else:
            pieces.append(Piece(first, last, why))
    return pieces
