"""The server page's panel of disks: each filesystem with how full it is, as last measured."""

from __future__ import annotations

from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Newest

HIGH, FULL = 80, 95  # percent
GB: Final = 1024  # MB
PANEL: Final = """<section class="panel" id="srv-disks" aria-labelledby="disks-h">
<div class="panel-head"><h2 id="disks-h">{}</h2></div>
<div class="table-wrap"><table class="tight"><thead class="hide"><tr><th scope="col">{}</th><th scope="col">{}</th>
<th scope="col" class="p2">{}</th></tr></thead><tbody>{}</tbody></table></div></section>"""
ROW: Final = """<tr><th scope="row"><bdi class="clip" title="{}">{}</bdi><div class="fold">{}</div></th>
<td class="num"><div class="metric"{}>{}<span>{}</span></div></td><td class="num p2">{}</td></tr>"""


def panel(newest: Newest | None) -> SafeString:
    """The panel as an element with an id; hidden where the server's agent does not tell its disks."""
    disks = newest.disks if newest else None
    if not disks:
        return SafeString('<section id="srv-disks" hidden></section>')
    words = (_("Disks"), _("Mount"), _("Used"), _("Used of total"))
    return format_html(PANEL, *words, format_html_join("", ROW, map(_row, disks)))


def used_percent(disk: dict[str, Any]) -> float:
    """How full a filesystem is; one of no size is not."""
    return float(100 * disk["usedMB"] / disk["totalMB"]) if disk["totalMB"] else 0.0


def _row(disk: dict[str, Any]) -> tuple[Any, ...]:
    percent = used_percent(disk)
    mount, fs = visible(disk["mount"]), visible(f"{disk['device']} {disk['fs']}".strip())
    # Not rounded up: what is not full is not shown as full.
    said = _("%(used)s of %(total)s") % {"used": size(disk["usedMB"]), "total": size(disk["totalMB"])}
    return fs, mount, said, _level(percent), show.bar(percent), show.percent(int(percent)), said


def size(mb: float) -> str:
    """So many MB in the unit that suits: "512 MB", "14.2 GB", "3.6 TB"."""
    if mb < GB:
        return f"{show.plain(mb)} MB"
    if mb < GB * GB:
        return f"{show.plain(mb / GB, 1)} GB"
    return f"{show.plain(mb / GB / GB, 1)} TB"


def _level(percent: float) -> SafeString:
    if percent < HIGH:
        return SafeString("")
    return SafeString(' data-level="full"' if percent >= FULL else ' data-level="high"')
