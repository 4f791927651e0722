"""The process table as HTML: one row a process, one small span a value that moves.

Plain f-strings, because 500 template renders would take 40 times as long. Everything an agent sent goes through
`_text`, which escapes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple

from django.utils.translation import gettext_lazy

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.wire import Proc

STATUS_WORDS = {
    "running": gettext_lazy("running"),
    "sleeping": gettext_lazy("sleeping"),
    "idle": gettext_lazy("idle"),
    "disk-sleep": gettext_lazy("disk wait"),
    "zombie": gettext_lazy("zombie"),
    "stopped": gettext_lazy("stopped"),
}
QUIET = ("sleeping", "idle")  # the usual: shown muted


class Frame(NamedTuple):
    """What the rows of one server share: its size and its clock."""

    mem_total_mb: float | None
    boot_time: float | None  # epoch seconds
    ticks_per_sec: float | None


class Cells(NamedTuple):
    """One process as shown: three values that move, and the rest, by which the whole row is replaced."""

    cpu: str
    mem: str
    status: str
    rest: tuple[str, int | None, str, str, int | None]  # name, parent, user, command line, threads


def frame(facts: dict[str, object], mem_total_mb: float | None) -> Frame:
    """The frame of a server's rows; facts as in Newest.facts."""
    return Frame(mem_total_mb, _number(facts.get("bootTime")), _number(facts.get("ticksPerSec")))


def key(proc: Proc) -> str:
    """What names a process in the page: its pid and start ticks, never its pid alone."""
    return f"{proc.pid}-{proc.start_ticks or 0}"


def cells(proc: Proc) -> Cells:
    """A process's values in the reader's numbers."""
    cpu = "—" if proc.cpu is None else show.plain(proc.cpu, 1)
    mem = "—" if proc.mem_mb is None else show.plain(proc.mem_mb)
    return Cells(cpu, mem, proc.status, (proc.name, proc.ppid, proc.user or "", proc.cmdline or "", proc.threads))


def cpu_span(key: str, cpu: str, moved: bool = False) -> str:
    """A process's CPU percent; process-table.js draws its bar from it."""
    return f'<span class="n{_muted(cpu)}{_changed(moved)}" id="c-{key}">{cpu}</span>'


def mem_span(key: str, mem: str, moved: bool = False) -> str:
    """A process's memory in MB."""
    return f'<span class="n{_muted(mem)}{_changed(moved)}" id="m-{key}">{mem}</span>'


def status_span(key: str, status: str, moved: bool = False) -> str:
    """A process's status in the reader's word."""
    quiet = " muted" if status in QUIET else ""
    word = STATUS_WORDS.get(status)
    return f'<span class="p-status{quiet}{_changed(moved)}" id="s-{key}">{word or _text(status)}</span>'


def row(proc: Proc, frame: Frame) -> str:
    """A process's whole row, `#proc-PID-TICKS`."""
    shown, name, none = cells(proc), key(proc), show.nothing()
    user, cmdline = _text(proc.user or ""), _text(proc.cmdline or "")
    title, mem_share = _text(proc.name), _share(proc.mem_mb, frame.mem_total_mb)
    return (
        f'<tr id="proc-{name}" data-parent="{proc.ppid or 0}">'
        f'<th scope="row"><bdi class="clip" title="{title}">{title}</bdi>'
        f'<div class="fold">{proc.pid}<span class="sep"><bdi>{user}</bdi></span></div></th>'
        f'<td class="num p2">{proc.pid}</td><td class="p3"><bdi title="{user}">{user or none}</bdi></td>'
        f'<td class="num"><div class="metric">{show.bar(proc.cpu)}{cpu_span(name, shown.cpu)}</div></td>'
        f'<td class="num"><div class="metric s2">{show.bar(mem_share)}{mem_span(name, shown.mem)}'
        f'</div></td><td class="p4">{status_span(name, proc.status)}</td>'
        f'<td class="num p5">{none if proc.threads is None else proc.threads}</td>'
        f'<td class="num p3">{_started(proc, frame)}</td>'
        f'<td class="p2 mono muted" title="{cmdline}"><bdi>{cmdline}</bdi></td></tr>'
    )


def rows(procs: Iterable[Proc], frame: Frame) -> str:
    """All the rows, in the order given."""
    return "".join(row(proc, frame) for proc in procs)


def _started(proc: Proc, frame: Frame) -> str:
    if proc.start_ticks is None or frame.boot_time is None or not frame.ticks_per_sec:
        return show.nothing()
    return show.age(datetime.fromtimestamp(frame.boot_time + proc.start_ticks / frame.ticks_per_sec, UTC))


def _share(value: float | None, whole: float | None) -> float | None:
    return 100 * value / whole if value is not None and whole else None


def _muted(value: str) -> str:
    return "" if value.strip("0.,—") else " muted"


def _changed(moved: bool) -> str:
    return " changed" if moved else ""


def _text(sent: str) -> str:
    return escape(visible(sent))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
