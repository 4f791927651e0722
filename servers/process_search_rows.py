"""The rows of the page that finds processes, made without the template engine: there may be hundreds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers import moments, process_rows
from servers.models import Newest
from servers.process_lives import Life
from servers.process_rows import QUIET, STATUS_WORDS, Frame, Then
from servers.process_search import Hit
from servers.twins import told_apart


class Place(NamedTuple):
    """A server as rows name it; twin: another one has the same host name."""

    agent_id: str
    hostname: str
    twin: bool

    @property
    def words(self) -> str:
        """The host name's first label, and the agent id where only that tells it from another."""
        return told_apart(self.hostname, self.agent_id, self.twin)


def of_hits(hits: Sequence[Hit], places: Mapping[int, Place], then: datetime | None = None) -> SafeString:
    """A row for each process that was found; then: the moment they are of, to which their links lead."""
    frames = _frames({hit.server_id for hit in hits}, then)
    at = (then or timezone.now()).timestamp()
    return _safe("".join(_hit(hit, places[hit.server_id], frames[hit.server_id], at) for hit in hits))


def of_lives(lives: Iterable[Life], place: Place, days: bool) -> SafeString:
    """A row for each process that was on this server; days: times are told with their day."""
    return _safe("".join(_life(life, place, "short" if days else "time") for life in lives))


def _frames(server_ids: Iterable[int], then: datetime | None) -> Mapping[int, Frame]:
    """Each server's size and clock; of a boot before the one the server is in now, its clock is not known."""
    frames: dict[int, Frame] = defaultdict(lambda: process_rows.frame({}, None))
    known = Newest.objects.filter(server__in=server_ids).values_list("server_id", "facts", "mem_total_mb")
    for server_id, facts, mem_total in known:
        frame = process_rows.frame(facts, mem_total)
        if then and frame.boot_time and frame.boot_time > then.timestamp():
            frame = frame._replace(boot_time=None)
        if then:
            frame = frame._replace(then=Then(then.timestamp(), "", f"?at={moments.written(then)}"))
        frames[server_id] = frame
    return frames


def _hit(hit: Hit, place: Place, frame: Frame, at: float) -> str:
    proc, none = hit.proc, show.nothing()
    share = 100 * proc.mem_mb / frame.mem_total_mb if frame.mem_total_mb else 0
    word, quiet = STATUS_WORDS.get(proc.status) or visible(proc.status), "muted" if proc.status in QUIET else ""
    one = One(proc.name, proc.pid, proc.start_ticks, hit.sampled_at if frame.then else None)
    began = process_rows.started(proc, frame, at, get_language())
    return (
        f"<tr>{_server(place, one)}{_name(place, one)}"
        f'<td class="num p3">{proc.pid}</td>{_user(proc.user)}'
        f'<td class="num">{show.metric(proc.cpu, decimals=1, unit="")}</td>'
        f'<td class="num">{show.metric(proc.mem_mb, "s2", unit="", share=share)}</td>'
        f'<td class="p4 {quiet}">{escape(word)}</td><td class="num p5">{none if proc.threads is None else proc.threads}'
        f'</td><td class="num p4">{began}</td>{_cmdline(proc.cmdline)}</tr>'
    )


def _life(life: Life, place: Place, form: str) -> str:
    cpu = show.nothing() if life.cpu is None else show.plain(life.cpu, 1)
    first, last = show.at(life.first, form), show.at(life.last, form)
    one = One(life.name, life.pid, life.start_ticks, life.last)
    apart = '</div><div class="fold">' if form == "short" else ""  # with their days they are too long for one line
    when = f'<div class="fold">{first} – {apart}{last}</div>'
    return (
        f'<tr>{_server(place, one, when)}{_name(place, one)}<td class="num p3">{life.pid}</td>{_user(life.user, "p4")}'
        f'<td class="p2">{first}</td><td class="p2">{last}</td>'
        f"{_peak(place, one, life.cpu_at, cpu)}{_peak(place, one, life.mem_at, show.plain(life.mem_mb))}"
        f"{_cmdline(life.cmdline, 'p3')}</tr>"
    )


class One(NamedTuple):
    """A process as links name it, and the moment they lead to (None: now)."""

    name: str
    pid: int
    ticks: int | None
    at: datetime | None

    @property
    def query(self) -> str:
        """What an address says of the moment."""
        return f"?at={moments.written(self.at)}" if self.at else ""


def _server(place: Place, one: One, more: str = "") -> str:
    host, agent = visible(place.hostname), visible(place.agent_id)
    twin = f' <span class="muted">{escape(agent)}</span>' if place.twin and agent != host else ""
    return (
        f'<th scope="row" title="{escape(f"{host} ({agent})" if twin else host)}">'
        f'<a class="clip" href="{_row(place, one)}">{_host(host)}</a>{twin}'
        f'<div class="fold"><bdi>{_text(one.name)}</bdi><span class="sep">{one.pid}</span></div>{more}</th>'
    )


def _name(place: Place, one: One) -> str:
    """Leads to the process's own page."""
    text = _text(one.name)
    page = f"{_page(place.agent_id)}processes/{one.pid}-{one.ticks or 0}/{one.query}"
    return f'<td class="p3" title="{text}"><a href="{page}"><bdi>{text or "—"}</bdi></a></td>'


def _user(user: str, css: str = "p3") -> str:
    return f'<td class="{css}" title="{_text(user)}"><bdi>{_text(user) or show.nothing()}</bdi></td>'


def _peak(place: Place, one: One, at: datetime, value: str) -> str:
    """Leads to when it was."""
    link = _row(place, one._replace(at=at))
    return f'<td class="num"><a href="{link}" title="{escape(show.moment(at))}">{value}</a></td>'


def _cmdline(cmdline: str, css: str = "p2") -> str:
    text = _text(cmdline)
    return f'<td class="{css} mono muted" title="{text}"><bdi>{text}</bdi></td>'


def _row(place: Place, one: One) -> str:
    """The process in its server's table."""
    return f"{_page(place.agent_id)}{one.query}#proc-{one.pid}-{one.ticks or 0}"


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
