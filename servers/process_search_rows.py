"""The rows of the page that finds processes, made without the template engine: there may be hundreds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers import moments
from servers.process_lives import Life
from servers.process_rows import QUIET, STATUS_WORDS
from servers.process_search import Hit


class Place(NamedTuple):
    """A server as rows name it."""

    agent_id: str
    hostname: str


def of_hits(hits: Iterable[Hit], places: Mapping[int, Place], past: bool) -> SafeString:
    """A row for each process that was found; past: their links lead to that moment."""
    return _safe("".join(_hit(hit, places[hit.server_id], past) for hit in hits))


def of_lives(lives: Iterable[Life], place: Place, days: bool) -> SafeString:
    """A row for each process that was on this server; days: times are told with their day."""
    return _safe("".join(_life(life, place, days) for life in lives))


def _hit(hit: Hit, place: Place, past: bool) -> str:
    proc, none = hit.proc, show.nothing()
    share = 100 * proc.mem_mb / hit.mem_total_mb if hit.mem_total_mb else None
    word, quiet = STATUS_WORDS.get(proc.status) or visible(proc.status), "muted" if proc.status in QUIET else ""
    return (
        f"<tr>{_server(place, proc.name, proc.pid, proc.start_ticks, hit.sampled_at if past else None)}"
        f'{_name(proc.name)}<td class="num p3">{proc.pid}</td><td class="p3">{_text(proc.user) or none}</td>'
        f'<td class="num">{show.metric(proc.cpu, decimals=1, unit="")}</td>'
        f'<td class="num">{show.metric(proc.mem_mb, "s2", unit="", share=share or 0)}</td>'
        f'<td class="p4 {quiet}">{escape(word)}</td>{_cmdline(proc.cmdline)}</tr>'
    )


def _life(life: Life, place: Place, days: bool) -> str:
    form, link = "full" if days else "time", _link(place.agent_id, life.cpu_at, life.pid, life.start_ticks)
    cpu = show.nothing() if life.cpu is None else show.plain(life.cpu, 1)
    return (
        f"<tr>{_server(place, life.name, life.pid, life.start_ticks, life.last)}"
        f'{_name(life.name)}<td class="num p3">{life.pid}</td><td class="p4">{_text(life.user) or show.nothing()}</td>'
        f'<td class="p2">{show.at(life.first, form)}</td><td class="p2">{show.at(life.last, form)}</td>'
        f'<td class="num"><a href="{link}" title="{escape(show.moment(life.cpu_at))}">{cpu}</a></td>'
        f'<td class="num"><span title="{escape(show.moment(life.mem_at))}">{show.plain(life.mem_mb)}</span></td>'
        f"{_cmdline(life.cmdline, 'p3')}</tr>"
    )


def _server(place: Place, name: str, pid: int, ticks: int | None, moment: datetime | None) -> str:
    host = visible(place.hostname)
    return (
        f'<th scope="row"><a class="clip" href="{_link(place.agent_id, moment, pid, ticks)}" title="{escape(host)}">'
        f'{_host(host)}</a><div class="fold"><bdi>{_text(name)}</bdi><span class="sep">{pid}</span></div></th>'
    )


def _name(name: str) -> str:
    text = _text(name)
    return f'<td class="p3" title="{text}"><bdi>{text}</bdi></td>'


def _cmdline(cmdline: str, css: str = "p2") -> str:
    text = _text(cmdline)
    return f'<td class="{css} mono muted" title="{text}"><bdi>{text}</bdi></td>'


def _link(agent_id: str, moment: datetime | None, pid: int, ticks: int | None) -> str:
    query = f"?at={moments.written(moment)}" if moment else ""
    return f"{_page(agent_id)}{query}#proc-{pid}-{ticks or 0}"


@lru_cache(maxsize=4000)
def _page(agent_id: str) -> str:
    return escape(reverse("servers:detail", args=[agent_id]))


@lru_cache(maxsize=4000)
def _host(name: str) -> str:
    return show.host(name)


def _text(sent: str) -> str:
    return escape(visible(sent))


def _safe(html: str) -> SafeString:
    return mark_safe(html)  # noqa: S308  every text was escaped
