"""The page that explains a stretch: the sentence, the line of the reading, the ranked table, what fell into it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, npgettext

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers import moments, server_page, spike, spike_found, spike_words
from servers.curves import Axis, area, drawn, round_up
from servers.models import Newest, Server
from servers.spike import CPU, Explained, Group, Part
from servers.spike_asked import Asked
from servers.spike_found import Found

MOST = 50  # groups in the table
MOST_OF_ONE = 100  # processes of the group that is open
METRIC_WORDS = {CPU: gettext_lazy("CPU"), spike.MEM: gettext_lazy("Memory")}


def form(server: Server, asked: Asked) -> dict[str, Any]:
    """What the page shows whatever is asked for."""
    return {
        "server": server,
        "short": show.first_label(visible(server.hostname)),
        "asked": asked,
        "from": asked.given["from"] or moments.written(asked.start),
        "to": asked.given["to"] or moments.written(asked.end),
        "metrics": [(name, word, name == asked.metric) for name, word in METRIC_WORDS.items()],
    }


def context(server: Server, asked: Asked) -> dict[str, Any]:
    """Everything explain.html shows."""
    newest = server_page.newest_of(server.pk)
    found = spike_found.find(server.pk, newest, asked)
    explained = found.explained
    groups = explained.groups if explained.now.samples else []  # else each would have come to nothing
    return {
        **form(server, asked),
        "found": explained,
        "cpu": asked.metric == CPU,
        "sentence": spike_words.sentence(found),
        "notes": spike_words.notes(found),
        "lane": _lane(found),
        "peak": _peak(server, found),
        "timeline": f"{reverse('servers:detail', args=[server.agent_id])}?{urlencode(_then(asked.end), safe=':')}",
        "earlier": asked.query(**{"from": moments.written(asked.begin), "to": moments.written(asked.start)}),
        "rows": [row for group in groups[:MOST] for row in _rows(server, newest, found, group)],
        "left_out": len(groups) - MOST,
        "fell": mark_safe("".join(row.html() for row in fell_into(server, asked))),  # noqa: S308  rendered templates
    }


def fell_into(server: Server, asked: Asked) -> list[server_page.Fell]:
    """What happened meanwhile, oldest first, as other apps tell it."""
    told = [one for part in server_page.PARTS for one in part.between(server, asked.start, asked.end)]
    return sorted(told, key=lambda one: one.at)


def _then(at: datetime) -> dict[str, str]:
    return {"at": moments.written(at)}


def _peak(server: Server, found: Found) -> dict[str, Any] | None:
    """When the reading was highest, how high, and the way there."""
    if found.peak is None:
        return None
    highest = max(point.max for point in found.now)
    page = reverse("servers:detail", args=[server.agent_id])
    value = show.percent(highest) if found.explained.metric == CPU else f"{show.plain(highest)} MB"
    return {"at": found.peak, "value": value, "url": f"{page}?{urlencode(_then(found.peak), safe=':')}"}


def _lane(found: Found) -> dict[str, Any] | None:
    """The server's reading over both stretches, which meet in the middle."""
    asked, values = found.asked, [(point.t, point.avg) for point in (*found.before, *found.now)]
    if not values:
        return None
    cpu = asked.metric == CPU
    axis = Axis(asked.begin, asked.end, max(2.5 * found.step, timedelta(seconds=30)))
    top = 100.0 if cpu else round_up(max(value for _at, value in values))
    return {
        "name": METRIC_WORDS[asked.metric],
        "drawing": drawn(("a" if cpu else "a s2", area([(max(t, asked.begin), v) for t, v in values], top, axis))),
        "top": show.percent(top) if cpu else f"{show.plain(top)} MB",
    }


def _rows(server: Server, newest: Newest | None, found: Found, group: Group) -> Iterator[dict[str, Any]]:
    """The group's row and, where it is open, one for each of its processes."""
    explained, asked = found.explained, found.asked
    one, is_open = len(group.parts) == 1, group.name == asked.open
    name = visible(group.name) or "—"
    many = spike_words.count(explained, group)
    yield {
        **_numbers(explained, group),
        "name": name,
        "count": "" if one else show.plain(many),
        "url": _process(server, found, group.parts[0]) if one else _opening(asked, "" if is_open else group.name),
        "toggle": not one,
        "open": is_open,
        "what": _came(newest, group.parts[0]) if one else _came_and_went(group),
        "title": visible(group.parts[0].what.cmdline) if one else "",
    }
    if is_open and not one:
        for part in group.parts[:MOST_OF_ONE]:
            yield {
                **_numbers(explained, part),
                "name": f"{name} {part.key.pid}",
                "depth": 1,
                "url": _process(server, found, part),
                "what": _came(newest, part),
                "title": visible(part.what.cmdline),
            }


def _numbers(explained: Explained, one: Group | Part) -> dict[str, Any]:
    values = {name: _amount(explained.metric, getattr(one, name)) for name in ("before", "now")}
    share = explained.share(one.change)
    signed = None if one.change is None else f"{'+' if one.change > 0 else ''}{_amount(explained.metric, one.change)}"
    return {
        **values,
        "change": signed,
        "share": None if share is None else show.percent(round(share)),
        "bar": None if share is None else min(100.0, max(0.0, share)),
    }


def _amount(metric: str, value: float | None) -> str | None:
    return None if value is None else show.plain(value, 1 if metric == CPU else 0).replace("-", "−")


def _opening(asked: Asked, name: str) -> str:
    return f"?{asked.query(**({'open': name} if name else {}))}#ranked"


def _process(server: Server, found: Found, part: Part) -> str:
    """The process's page at the peak, or when it was nearest to it."""
    at = min(max(found.peak or part.last, part.first), part.last)
    page = reverse("servers:process", args=[server.agent_id, part.key.pid, part.key.start_ticks or 0])
    return f"{page}?{urlencode(_then(at), safe=':')}"


def _came(newest: Newest | None, part: Part) -> SafeString:
    """When a process began and ended, as far as that fell into the stretch."""
    said = []
    if part.new:
        began = started(newest, part)
        said.append(format_html(_("started {}") if began else _("first seen {}"), show.at(began or part.first)))
    if part.gone:
        said.append(format_html(_("last seen {}"), show.at(part.last)))
    return format_html('{}<span class="sep">{}</span>', *said) if len(said) == 2 else (said or [SafeString("")])[0]


def _came_and_went(group: Group) -> str:
    said = []
    if group.new:
        said.append(npgettext("processes", "%(n)s new", "%(n)s new", group.new) % {"n": show.plain(group.new)})
    if group.gone:
        said.append(npgettext("processes", "%(n)s gone", "%(n)s gone", group.gone) % {"n": show.plain(group.gone)})
    return " · ".join(said)


def started(newest: Newest | None, part: Part) -> datetime | None:
    """By the boot and the ticks, where that is not later than it was seen; not known of boots before the one of now."""
    facts = newest.facts if newest else {}
    boot, ticks = facts.get("bootTime"), facts.get("ticksPerSec")
    if not part.key.start_ticks or not isinstance(boot, int | float) or not isinstance(ticks, int | float) or not ticks:
        return None
    at = boot + part.key.start_ticks / ticks
    return datetime.fromtimestamp(at, UTC) if part.first.timestamp() - at >= 0 and boot <= at else None
