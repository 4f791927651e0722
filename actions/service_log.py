"""A service's log: asked of its agent by whoever may act, shown line by line, followed by asking from a cursor."""

from __future__ import annotations

from typing import Annotated, Any

from django.template.loader import get_template
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from msgspec import Meta, Struct, convert

from actions import reads
from actions.models import Read
from actions.service_rows import can_act
from pmonitor.templatetags import show
from pmonitor.visible import visible, visible_lines
from servers.models import Service
from servers.wire import Moment, Name, Text

KIND = "logs"
LINES = 200
ERROR, WARNING = 3, 4  # syslog's levels; 0 to 3 are errors
LEVELS = {  # what the page's filter is called in an address, and how bad a line must be
    "": (None, gettext_lazy("All lines")),
    "warning": (WARNING, gettext_lazy("Warnings")),
    "err": (ERROR, gettext_lazy("Errors")),
}
WORDS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")  # journalctl's own, untranslated


class Line(Struct):
    """One line; t and level only where the log tells them, by: what logged it, such as nginx[123]."""

    text: Text
    t: Moment | None = None
    level: Annotated[int, Meta(ge=0, le=7)] | None = None
    by: Name = ""


class LogAnswer(Struct):
    """Lines, oldest first; cut: older ones did not fit; missed: some since the cursor are not among them."""

    lines: Annotated[list[Line], Meta(max_length=500)]
    cursor: Annotated[str, Meta(max_length=300)] = ""
    source: Name = ""
    levels: bool = False
    cut: bool = False
    missed: bool = False


def register() -> None:
    """Make the kind known; called once, when all apps are ready."""
    reads.KINDS[KIND] = reads.Kind(gettext_lazy("Log of %(target)s"), LogAnswer, html)


def ask(user: Any, service: Service, level: str, address: str, after: str | None = None) -> Read:
    """Ask for the newest lines as bad as the level, or with a cursor (which may be empty) for what came since."""
    least = LEVELS.get(level, LEVELS[""])[0]
    args: dict[str, Any] = {"lines": LINES} | ({} if least is None else {"level": least})
    if after is not None:
        args |= {"follow": True} | ({"after": after[:300]} if after else {})
    return reads.ask(user, service.server, KIND, service.name, args, address, again=after is not None)


def asked(user: Any, service: Service, uuid: str) -> Read | None:
    """The user's own read of that service's log, while it is kept."""
    mine = Read.objects.visible_to(user).filter(kind=KIND, server=service.server_id, target=service.name)
    found: Read | None = mine.filter(uuid=uuid).first()
    return found


def panel(service: Service, role: str, read: Read | None = None, problem: str = "") -> dict[str, Any]:
    """What `_log.html` shows."""
    least = read.args.get("level") if read else None
    return {
        "name": visible(service.name),
        "url": reverse("actions:log", args=[service.server.agent_id, service.name]),
        "may_read": can_act(role),
        "levels": [(key, word, read is not None and bad == least) for key, (bad, word) in LEVELS.items()],
        "read": reads.html(read) if read else "",
        "open": read is not None and not reads.verdict_of(read),
        "problem": problem,
    }


def html(read: Read) -> SafeString:
    """An answered read: its lines, and where to go on from."""
    log = convert(read.answer, LogAnswer)
    lines = format_html_join("", "{}", ((line(one),) for one in log.lines))
    return format_html('{}<div data-cursor="{}">{}</div>', _notes(read, log), log.cursor, lines)


def line(line: Line) -> SafeString:
    """One line as a row: its time, what logged it, its text in the look of its level."""
    word = "" if line.level is None or line.level > WARNING else WORDS[line.level]
    css = "" if not word else "wrn" if line.level == WARNING else "err"
    said = format_html('<span class="{}">{}: {}</span>', css, word, _text(line)) if word else _text(line)
    before = format_html("<i>{} </i>", show.at(line.t)) if line.t else ""
    by = format_html("<i>{} </i>", visible(line.by)) if line.by else ""
    return format_html("<div>{}{}{}</div>", before, by, said)


def _text(line: Line) -> str:
    return visible_lines(line.text.rstrip("\n"))


def _notes(read: Read, log: LogAnswer) -> SafeString:
    """What there is to say about the lines; nothing in the ordinary case."""
    said = []
    if log.missed:
        said.append(_("More came than can be shown: lines are missing here."))
    elif log.cut:
        said.append(_("Older lines did not fit and are left out."))
    if read.args.get("level") is not None and not log.levels and not read.args.get("follow"):
        said.append(_("This log tells no levels: every line is shown."))
    if not log.lines and not read.args.get("follow"):
        none = _("Nothing this bad is in the log.") if "level" in read.args and log.levels else _("Nothing is logged.")
        return format_html('{}<p class="empty">{}</p>', _notice(said), none)
    return _notice(said)


def _notice(said: list[str]) -> SafeString:
    return SafeString(get_template("_log_note.html").render({"said": " ".join(said)}) if said else "")
