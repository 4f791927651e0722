"""How values are shown: numbers, ages, states and small charts as HTML.

In templates these are filters and tags that need no {% load %}; in Python they are plain functions, so that a
fragment pushed every second can be built without the template engine. All of them escape what they are given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from django import template
from django.utils import timezone, translation
from django.utils.formats import get_format
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from pmonitor import dates, sparkline

register = template.Library()

HIGH, FULL = 80, 90  # percent: where a reading asks for a look, and where it is as good as used up
STEPS = ((60, 1, "s"), (3600, 60, "min"), (86_400, 3600, "h"), (float("inf"), 86_400, "d"))


def _safe(html: str) -> SafeString:
    return mark_safe(html)  # noqa: S308  every part was escaped or made here


# States and icons


@register.simple_tag
def glyph(name: str) -> SafeString:
    """The filled glyph of a state, from the page's sprite."""
    return _safe(
        f'<svg class="g" viewBox="0 0 16 16" aria-hidden="true"><use href="#g-{conditional_escape(name)}"/></svg>'
    )


@register.simple_tag
def icon(name: str) -> SafeString:
    """A line icon, from the page's sprite."""
    return _safe(
        f'<svg class="i" viewBox="0 0 16 16" aria-hidden="true"><use href="#i-{conditional_escape(name)}"/></svg>'
    )


@register.simple_tag
def status(state: str, word: str, kind: str = "", id: str = "") -> SafeString:
    """A state's glyph and word; kind "pill" is the loud form, for heads."""
    state = conditional_escape(state)
    name = f' id="{conditional_escape(id)}"' if id else ""
    loud = f" {conditional_escape(kind)}" if kind else ""
    return _safe(
        f'<span{name} class="status{loud}" data-state="{state}">{glyph(state)}'
        f"<span>{conditional_escape(word)}</span></span>"
    )


# Numbers


@lru_cache(maxsize=8)
def _separators(language: str | None) -> dict[int, str]:
    return str.maketrans({".": get_format("DECIMAL_SEPARATOR"), ",": get_format("THOUSAND_SEPARATOR")})


def nothing() -> SafeString:
    """What stands where there is no data."""
    said = _("no data")  # not in the f-string, where makemessages does not look
    return _safe(f'<span aria-hidden="true">—</span><span class="hide">{conditional_escape(said)}</span>')


def plain(value: float, decimals: int = 0) -> str:
    """A number in the reader's language, as text: 1,984 or 12.4."""
    return f"{value:,.{decimals}f}".translate(_separators(translation.get_language()))


@register.filter
def num(value: float | None, decimals: int = 0) -> SafeString:
    """A number; zero is muted, no data is a dash."""
    if value is None:
        return nothing()
    return _safe(plain(value, decimals) if value else f'<span class="muted">{plain(0)}</span>')


@register.filter
def reading(value: float | None) -> SafeString:
    """A load or another small measure with about three figures: 0.22, 12.4, 104."""
    if value is None:
        return nothing()
    return _safe(plain(value, 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0))


@lru_cache(maxsize=8)
def _percent_sign(language: str | None) -> str:
    # Translators: the percent sign after a number; some languages put a space before it
    return pgettext("after a number", "%")


@register.filter
def percent(value: float | None, decimals: int = 0) -> SafeString:
    """A percentage with its sign; no data is a dash."""
    if value is None:
        return nothing()
    sign = conditional_escape(_percent_sign(translation.get_language()))
    return _safe(f'{plain(value, decimals).replace("-", "−")}<span class="unit">{sign}</span>')


@register.filter
def level(value: float | None) -> str:
    """high from 80 percent, full from 90, else empty: the data-level of a reading."""
    if value is None or value < HIGH:
        return ""
    return "full" if value >= FULL else "high"


# Small charts


@register.filter
def bar(value: float | None) -> SafeString:
    """A micro-bar filled to so many percent."""
    if value is None:
        return _safe('<svg class="bar" aria-hidden="true"></svg>')
    width = f"{min(100, max(0, value)):.1f}".removesuffix(".0")
    return _safe(f'<svg class="bar" aria-hidden="true"><rect width="{width}%" height="100%"/></svg>')


@register.filter
def spark(points: Sequence[float | None] | None, gone: bool = False) -> SafeString:
    """A sparkline of 30 percentages, oldest first; None is a gap. gone: a thin line, for a silent server."""
    runs = sparkline.runs(points or ())
    line, area = "".join(map(sparkline.line, runs)), "".join(map(sparkline.area, runs))
    if gone or not runs:
        drawn = f'<path d="{line}"/>' if line else ""
    elif len(runs) == 1 and len(runs[0]) == len(points or ()):
        drawn = f'<path d="{area}"/>'
    else:  # the area's edges at a gap are not part of the line
        drawn = f'<path stroke-opacity="0" d="{area}"/><path class="l" d="{line}"/>'
    kind = "spark gone" if gone else "spark"
    return _safe(f'<svg class="{kind}" viewBox="0 0 58 20" preserveAspectRatio="none" aria-hidden="true">{drawn}</svg>')


@register.simple_tag
def metric(
    value: float | None,
    series: str = "",
    points: Sequence[float | None] | None = None,
    decimals: int = 0,
    unit: str = "%",
    share: float | None = None,
    gone: bool = False,
) -> SafeString:
    """Sparkline (if points are given), micro-bar and number of one cell.

    The bar shows `share` percent, or the value itself. unit: "%" or "" (then the column's head says it). series: "s2"
    is the second data series. gone: an old sparkline and no value, for a server that is silent.
    """
    filled = value if share is None else share
    loud = "" if gone else level(filled if unit == "%" else None)
    chart = spark(points, gone) if points is not None else ""
    number = nothing() if gone or value is None else percent(value, decimals) if unit == "%" else plain(value, decimals)
    quiet = ' class="muted"' if gone or not value else ""
    return _safe(
        f'<div class="metric{" " + conditional_escape(series) if series else ""}"'
        f"{f' data-level={chr(34)}{loud}{chr(34)}' if loud else ''}>"
        f"{chart}{bar(None if gone else filled)}<span{quiet}>{number}</span></div>"
    )


# Time


def unit_words() -> dict[str, str]:
    """The short words of the units of time."""
    return _unit_words(translation.get_language())


@lru_cache(maxsize=8)
def _unit_words(_language: str | None) -> dict[str, str]:
    return {
        "s": pgettext("unit of time", "s"),
        "min": pgettext("unit of time", "min"),
        "h": pgettext("unit of time", "h"),
        "d": pgettext("unit of time", "d"),
    }


def span_words(seconds: float) -> tuple[int, str]:
    """A span of time as a number and its unit: (41, "d")."""
    seconds = max(0.0, seconds)
    for limit, size, unit in STEPS:
        if seconds < limit:
            return int(seconds // size), unit_words()[unit]
    raise AssertionError("the last step has no limit")


@register.filter
def duration(seconds: float | None) -> SafeString:
    """A span of time in its largest unit: 4 s, 12 min, 3 h, 41 d."""
    if seconds is None:
        return nothing()
    count, unit = span_words(seconds)
    return _safe(f'{plain(count)}<span class="unit"> {conditional_escape(unit)}</span>')


@register.filter
def moment(when: datetime | None) -> str:
    """A time in words, in UTC: Sun 22 Nov 2026, 12:06:32 UTC. The page's script tells it in the reader's own zone."""
    if when is None:
        return ""
    when = when.astimezone(UTC)
    return f"{dates.whole(when.date())}, {when:%H:%M:%S} UTC"


@register.filter
def day(when: datetime) -> str:
    """A day of this year, in UTC: 22 Nov."""
    return dates.short(when.astimezone(UTC).date())


@register.filter
def age(when: datetime | None, form: str = "") -> SafeString:
    """How long ago, ticking by the page's clock; form "ago" says it as a phrase ("4 s ago")."""
    if when is None:
        return nothing()
    count, unit = span_words((timezone.now() - when).total_seconds())
    said = f"{plain(count)} {unit}"
    text = _("%(age)s ago") % {"age": said} if form == "ago" else said
    return _safe(
        f'<time datetime="{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" data-age="{conditional_escape(form)}"'
        f' title="{conditional_escape(moment(when))}">{conditional_escape(text)}</time>'
    )


@register.filter
def countdown(when: datetime | None) -> SafeString:
    """How long until then, 12:34 or 1:02:03, ticking by the page's clock; 0:00 when it has passed."""
    if when is None:
        return nothing()
    left = max(0, int((when - timezone.now()).total_seconds()))
    hours, minutes, seconds = left // 3600, left // 60 % 60, left % 60
    text = f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
    return _safe(
        f'<time datetime="{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" data-until'
        f' title="{conditional_escape(moment(when))}">{text}</time>'
    )


@register.filter
def at(when: datetime | None, form: str = "time") -> SafeString:
    """An absolute time, which clock.js tells in the reader's zone; form: "time", "full", "day", "short" (with day)."""
    if when is None:
        return nothing()
    when, full = when.astimezone(UTC), moment(when)
    text = {"full": full, "day": full.partition(",")[0]}.get(form, f"{when:%H:%M:%S}")
    text = f"{day(when)}, {when:%H:%M}" if form == "short" else text
    return _safe(
        f'<time datetime="{when:%Y-%m-%dT%H:%M:%S.%f}Z" data-at="{conditional_escape(form)}"'
        f' title="{conditional_escape(full)}">{conditional_escape(text)}</time>'
    )


# Names

LONG_NAME = 20  # characters, above which a name may have to be cut
TAIL = re.compile(r"[-_.][^-_.]+[-_.][^-_.]+$")


@register.filter
def mid(name: str) -> SafeString:
    """A name that is cut in its middle when it is too long, because its end tells siblings apart."""
    if len(name) <= LONG_NAME:
        return _safe(f'<span class="clip">{conditional_escape(name)}</span>')
    found = TAIL.search(name)
    cut = found.start() if found and len(name) - found.start() <= 16 else len(name) - 10
    return _safe(
        f'<span class="mid"><span>{conditional_escape(name[:cut])}</span>'
        f"<span>{conditional_escape(name[cut:])}</span></span>"
    )


@register.filter
def host(name: str) -> SafeString:
    """A host name's first label, cut in its middle; the element around it carries the full name as its title."""
    return mid(first_label(name))


def first_label(name: str) -> str:
    """web-buh-07 of web-buh-07.internal.example.net; an address stays whole."""
    label = name.partition(".")[0]
    return name if not label or label.isdigit() else label
