"""What changed in a process table since it was last sent, as messages of one kind each.

htmx parses a message as one fragment, and a span beside a row would be torn out of it: so spans go with spans and
rows with rows.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import get_language

from servers import process_rows
from servers.process_rows import Cells, Frame
from servers.wire import Proc

Shown = dict[str, Cells]


def whole(procs: Iterable[Proc], frame: Frame) -> str:
    """The table's whole body, `#procs`."""
    return f'<tbody id="procs">{process_rows.rows(procs, frame)}</tbody>'


def shown(procs: Iterable[Proc]) -> Shown:
    """What pages show of these processes, to find the next changes by."""
    language = get_language()
    return {process_rows.key(proc): process_rows.cells(proc, language) for proc in procs}


def changes(before: Shown, now: Shown, procs: list[Proc], frame: Frame) -> list[str]:
    """The messages that bring a page from before to now; the whole body where most rows are others (a reboot)."""
    gone = [key for key in before if key not in now]
    if len(gone) * 2 > len(before):
        return [whole(procs, frame)]
    by_key = {process_rows.key(proc): proc for proc in procs}
    others = {key: None for key, cells in now.items() if key in before and before[key].rest != cells.rest}
    added = [proc for key, proc in by_key.items() if key not in before]
    messages = [
        "".join(
            span for key, cells in now.items() if key not in others for span in _spans(key, before.get(key), cells)
        ),
        process_rows.rows((by_key[key] for key in others), frame),
        f'<tbody hx-swap-oob="beforeend:#procs">{process_rows.rows(added, frame)}</tbody>' if added else "",
        "".join(f'<tr id="proc-{key}" hx-swap-oob="delete"></tr>' for key in gone),
    ]
    return [message for message in messages if message]


def _spans(key: str, before: Cells | None, now: Cells) -> Iterable[str]:
    if before is None:
        return
    if before.cpu != now.cpu:
        yield process_rows.cpu_span(key, now.cpu)
    if before.mem != now.mem:
        yield process_rows.mem_span(key, now.mem)
    if before.status != now.status:
        yield process_rows.status_span(key, now.status, get_language())
