"""The process table as HTML: one row a process, one small span a value that moves.

Plain f-strings, because 500 template renders would take 40 times as long. Everything an agent sent goes through
`_text`, which escapes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from html import escape
from typing import NamedTuple

from django.utils.translation import get_language, gettext_lazy

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.wire import Proc

STATUS_WORDS = {
    "running": gettext_lazy("running"),
    "sleeping": gettext_lazy("sleeping"),
    "idle": gettext_lazy("idle"),
    "disk wait": gettext_lazy("disk wait"),
    "zombie": gettext_lazy("zombie"),
    "stopped": gettext_lazy("stopped"),
    "tracing stop": gettext_lazy("tracing stop"),
    "dead": gettext_lazy("dead"),
}
QUIET = ("sleeping", "idle")  # the usual: shown muted
A_DAY = 86_400  # seconds; a clock may be that wrong


class End(NamedTuple):
    """A last cell that another app adds to each row; version: changes when cells of the same processes do."""

    version: object
    cell: Callable[[Proc], str]


class Then(NamedTuple):
    """A past moment that rows are of: epoch seconds, and what the address of a process's page has around its key."""

    at: float
    path: str  # "processes/", relative to the page; as an attribute holds it
    query: str  # "?at=…", too


class Frame(NamedTuple):
    """What the rows of one server share: its size, its clock, and how they end."""

    mem_total_mb: float | None
    boot_time: float | None  # epoch seconds
    ticks_per_sec: float | None
    end: End | None = None
    then: Then | None = None  # None: now


class Cells(NamedTuple):
    """One process as shown: three values that move, and the rest, by which the whole row is replaced."""

    cpu: str
    mem: str
    status: str
    rest: tuple[str, int | None, str, str, int | None]  # name, parent, user, command line, threads


def frame(facts: dict[str, object], mem_total_mb: float | None, end: End | None = None) -> Frame:
    """The frame of a server's rows; facts as in Newest.facts."""
    return Frame(mem_total_mb, _number(facts.get("bootTime")), _number(facts.get("ticksPerSec")), end)


def key(proc: Proc) -> str:
    """What names a process in the page: its pid and start ticks, never its pid alone."""
    return f"{proc.pid}-{proc.start_ticks or 0}"


def cells(proc: Proc, language: str | None) -> Cells:
    """A process's values in the reader's numbers; language: the active one, which need not be looked up each time."""
    cpu = "—" if proc.cpu is None else _plain(proc.cpu, 1, language)
    mem = _plain(round(proc.mem_mb), 0, language)
    return Cells(cpu, mem, proc.status, (proc.name, proc.ppid, proc.user or "", proc.cmdline or "", proc.threads))


@lru_cache(maxsize=20_000)
def _plain(value: float, decimals: int, language: str | None) -> str:
    return show.plain(value, decimals)


def cpu_span(key: str, cpu: str) -> str:
    """A process's CPU percent; process-table.js draws its bar from it."""
    return f'<span{_muted(cpu)} id="c-{key}">{cpu}</span>'


def mem_span(key: str, mem: str) -> str:
    """A process's memory in MB."""
    return f'<span{_muted(mem)} id="m-{key}">{mem}</span>'


def status_span(key: str, status: str, language: str | None) -> str:
    """A process's status in the reader's word."""
    quiet = "muted" if status in QUIET else "live-value"
    return f'<span class="{quiet}" id="s-{key}">{_status_word(status, language)}</span>'


@lru_cache(maxsize=100)
def _status_word(status: str, _language: str | None) -> str:
    return str(STATUS_WORDS.get(status) or _text(status))


@lru_cache(maxsize=8)
def _nothing(_language: str | None) -> str:
    return show.nothing()


def row(proc: Proc, frame: Frame, now: float, language: str | None) -> str:
    """A process's whole row, `#proc-PID-TICKS`; now: epoch seconds."""
    shown, name, none = cells(proc, language), key(proc), _nothing(language)
    user, cmdline = _text(proc.user or ""), _text(proc.cmdline or "")
    last = frame.end.cell(proc) if frame.end else ""
    title, mem_bar = _text(proc.name), _bar(proc.mem_mb, frame.mem_total_mb)
    path, query = frame.then[1:] if frame.then else ("processes/", "")
    return (
        f'<tr id="proc-{name}" data-parent="{proc.ppid or 0}">'
        f'<th scope="row"><bdi class="clip" title="{title}"><a href="{path}{name}/{query}">{title or "—"}</a></bdi>'
        f'<div class="fold">{proc.pid}<bdi class="sep">{user}</bdi></div></th>'
        f'<td class="num p2">{proc.pid}</td><td class="p3"><bdi title="{user}">{user or none}</bdi></td>'
        f'<td class="num"><div class="metric">{_bar(proc.cpu, 100)}{cpu_span(name, shown.cpu)}</div></td>'
        f'<td class="num"><div class="metric s2">{mem_bar}{mem_span(name, shown.mem)}'
        f'</div></td><td class="p4">{status_span(name, proc.status, language)}</td>'
        f'<td class="num p5">{none if proc.threads is None else proc.threads}</td>'
        f'<td class="num p3">{started(proc, frame, now, language)}</td>'
        f'<td class="p2 mono muted" title="{cmdline}"><bdi>{cmdline}</bdi></td>{last}</tr>'
    )


def rows(procs: Iterable[Proc], frame: Frame) -> str:
    """All the rows, in the order given."""
    now, language = frame.then.at if frame.then else time.time(), get_language()
    return "".join([row(proc, frame, now, language) for proc in procs])


def started(proc: Proc, frame: Frame, now: float, language: str | None) -> str:
    """When it began, as show.age, without the title, which the page's clock writes; as it was then in the past."""
    if proc.start_ticks is None or frame.boot_time is None or not frame.ticks_per_sec:
        return _nothing(language)
    at = frame.boot_time + proc.start_ticks / frame.ticks_per_sec
    if at > now + A_DAY:  # wrong, and perhaps past what a calendar can tell
        return _nothing(language)
    count, unit = show.span_words(now - at)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    kind = "data-then" if frame.then else 'data-age=""'
    return f'<time datetime="{when}" {kind}>{_plain(count, 0, language)} {unit}</time>'


def _bar(value: float | None, whole: float | None) -> str:
    if value is None or not whole:
        return '<svg class="bar" aria-hidden="true"></svg>'
    width = min(100.0, 100 * value / whole)
    return f'<svg class="bar" aria-hidden="true"><rect width="{width:.1f}%" height="100%"/></svg>'


def _muted(value: str) -> str:
    return "" if value.strip("0.,—") else ' class="muted"'


def _text(sent: str) -> str:
    return escape(visible(sent))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
