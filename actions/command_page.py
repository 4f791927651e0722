"""What the command page shows of a command: its steps with their times, its evidence, and what may be done next."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2s
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from actions import happened, lease_words, process_judge, processes, service_log, states, verbs, verdicts
from actions.happened import Told
from actions.judge import FOR_GOOD
from actions.models import Command, Lease
from pmonitor import access
from pmonitor.templatetags import show
from pmonitor.visible import visible, visible_lines
from servers.models import Service
from servers.process_rows import STATUS_WORDS

GLYPHS = {"gone": "inactive", "zombie": "inactive", "stopped": "queued", "tracing stop": "queued"}  # of a process
SOON = timedelta(hours=2)  # a deadline that far off is told with its day
LOG_CHARS = 20_000  # what a page carries at most; the record keeps all the agent sent


class Step(NamedTuple):
    """One step of a command's life; said: its time, or how long after the one before."""

    state: str
    word: Any
    said: str = ""
    current: bool = False


class Side(NamedTuple):
    """One value of the evidence; glyph: of a state."""

    text: str
    glyph: str = ""
    detail: str = ""


class Compared(NamedTuple):
    """One row of the evidence: a property before and after."""

    name: str
    sides: tuple[Side, Side]


def pill(command: Command) -> str:
    """The word of the command's state in its head."""
    if command.state == states.SUCCEEDED:
        return _("Succeeded, verified")
    return verbs.state_word(command.state, command.verdict)


def took(command: Command) -> str:
    """How long it ran, or waited when it never did: "2.1 s"; empty while it is open."""
    if command.ended_at is None:
        return ""
    return spent((command.ended_at - (command.started_at or command.created_at)).total_seconds())


def spent(seconds: float) -> str:
    """A short time: "2.1 s"."""
    return f"{show.plain(max(0.0, seconds), 1)} {show.unit_words()['s']}"


def steps(command: Command) -> list[Step]:
    """Queued, delivered, running, outcome: passed ones with their times, the present one with its deadline."""
    return [_queued(command), *_delivered(command), *_running(command), _outcome(command)]


def _queued(command: Command) -> Step:
    word, said = verbs.STATE_WORDS[states.QUEUED], show.at(command.created_at)
    if command.state != states.QUEUED:
        return Step(states.SUCCEEDED, word, said)
    form = "full" if command.deliver_by - command.created_at > SOON else "time"
    deadline = format_html(_("{}, deliver by {}"), said, show.at(command.deliver_by, form))
    return Step(states.QUEUED, word, deadline, current=True)


def _delivered(command: Command) -> list[Step]:
    word, at = verbs.STATE_WORDS[states.DELIVERED], command.delivered_at
    if at is None or command.state == states.QUEUED:
        return [Step("todo", word)] if command.state in states.ACTIVE else []
    now = command.state == states.DELIVERED
    return [Step(states.DELIVERED if now else states.SUCCEEDED, word, _after(at, command.created_at), current=now)]


def _running(command: Command) -> list[Step]:
    word, at = verbs.STATE_WORDS[states.RUNNING], command.started_at
    if at is None or command.state in (states.QUEUED, states.DELIVERED):
        return [Step("todo", word)] if command.state in states.ACTIVE else []
    if command.state != states.RUNNING:
        return [Step(states.SUCCEEDED, word, _after(at, command.delivered_at or command.created_at))]
    limit = show.plain(command.execute_within_sec)
    said = format_html(_("{}, deadline {} s"), format_html('<span class="live-value">{}</span>', show.age(at)), limit)
    return [Step(states.RUNNING, word, said, current=True)]


def _outcome(command: Command) -> Step:
    if command.state in states.ACTIVE:
        return Step("todo", _("Outcome"), _("verified by state and PID"))
    word = verbs.state_word(command.state, command.verdict)
    if command.ended_at is None:
        open_for_good = command.verdict in FOR_GOOD
        said = _("nothing can settle it any more") if open_for_good else _("the next reports will settle it")
        return Step(command.state, word, said, current=not open_for_good)
    since = command.started_at or command.delivered_at or command.created_at
    return Step(command.state, word, _after(command.ended_at, since))


def _after(at: datetime, since: datetime) -> str:
    return f"+{spent((at - since).total_seconds())}"


def evidence(command: Command) -> list[Compared]:
    """The service or process before and after, as far as it is known."""
    sent = command.evidence
    before, after = _observed(sent.get("before")), _observed(sent.get("after") or sent.get("seen"))
    if not before and not after:
        return []
    if command.cmd in states.PROCESS_VERBS:
        return _of_process(before, after)
    rows = [Compared(_("State"), (_state(before), _state(after)))]
    for name, key in ((_("Main PID"), "mainPid"), (_("Processes"), "tasks"), (_("Memory"), "memMB")):
        if before.get(key) is not None or after.get(key) is not None:
            rows.append(Compared(name, (_value(before.get(key), key), _value(after.get(key), key))))
    return rows


def _observed(sent: Any) -> dict[str, Any]:
    return sent if isinstance(sent, dict) else {}


def _state(seen: dict[str, Any]) -> Side:
    active = str(seen.get("activeState") or "")
    if not active:
        return Side("—")
    result = str(seen.get("result") or "")
    detail = result if active == "failed" and result else str(seen.get("subState") or "")
    glyph = active if active in ("active", "inactive", "failed") else "running"
    return Side(visible(verdicts.service_word(active)), glyph, visible(detail))


def _of_process(before: dict[str, Any], after: dict[str, Any]) -> list[Compared]:
    rows = [Compared(_("State"), (_status(before), _status(after)))]
    for name, key in ((pgettext("of a process", "Nice"), "nice"), (_("Memory"), "memMB")):
        if before.get(key) is not None or after.get(key) is not None:
            rows.append(Compared(name, (_value(before.get(key), key), _value(after.get(key), key))))
    return rows


def _status(seen: dict[str, Any]) -> Side:
    status = str(seen.get("status") or "")
    word = _("gone") if status == process_judge.GONE else STATUS_WORDS.get(status, visible(status))
    return Side(str(word) or "—", GLYPHS.get(status, "active") if status else "")


def _value(value: Any, key: str) -> Side:
    if not isinstance(value, int | float) or (key == "mainPid" and not value):
        return Side("—")
    if key == "memMB":
        return Side(f"{show.plain(value, 1)} MB")
    return Side(str(value) if key in ("mainPid", "nice") else show.plain(value))


def log_lines(ended: Command | Lease) -> str:
    """The last lines of the service's log as the agent sent them, bounded; not escaped."""
    sent = ended.evidence.get("log")
    text = "\n".join(map(str, sent)) if isinstance(sent, list) else str(sent or "")
    return visible_lines(text)[-LOG_CHARS:]


def output(command: Command) -> str:
    """What the service manager said, bounded; not escaped."""
    return visible_lines(str(command.evidence.get("output") or ""))[-LOG_CHARS:]


def context(command: Command, role: str) -> dict[str, Any]:
    """Everything `_command.html` shows; command with its server selected."""
    service = Service.objects.filter(server=command.server_id, name=command.target).first()
    acting, ended = role in (access.OPERATOR, access.ADMIN), command.state not in states.ACTIVE
    lease = _lease(command)
    server, verb = command.server, verbs.VERBS.get(command.cmd)
    of_process = command.cmd in states.PROCESS_VERBS
    may_repeat = service is not None and command.cmd in service.verbs
    since = happened.not_so_any_more(command)
    return {
        "command": command,
        "version": version(command, lease, since),
        "title": verbs.titled(command.cmd, visible(command.target), command.args),
        "host": show.first_label(visible(server.hostname)),
        "verb": verb,
        "pill": pill(command),
        "steps": steps(command),
        "took": took(command),
        "ended": ended,
        "sentence": visible(verdicts.sentence(command)),
        "late": visible(verdicts.late(command)),
        "since": since,
        "by": ", ".join(part for part in (visible(command.asked_by_name), command.asked_from) if part),
        "reason": visible(command.reason),
        "runs": _runs(command, service),
        "evidence": evidence(command),
        "output": "" if of_process else output(command),  # the sentence has what the kernel said
        "cmdline": visible(str(command.evidence.get("listed", {}).get("cmdline") or "")),
        "log": log_lines(command),
        "lent": lease_words.sentence(lease) if lease else "",
        "lent_log": log_lines(lease) if lease else "",
        "log_panel": service_log.panel(service, role) if service else None,
        "may_cancel": acting,
        "can_cancel": acting and command.state == states.QUEUED,
        "may_repeat": acting and ended and (processes.is_there(command) if of_process else may_repeat),
        "repeat": _repeat(command, verb),
        "repeat_url": _repeat_url(command),
    }


def _repeat(command: Command, verb: verbs.Verb | None) -> Any:
    if _is_for_kill(command):
        return _("Send KILL…")
    return verb.again if verb and command.state == states.SUCCEEDED else _("Try again…")


def _repeat_url(command: Command) -> str:
    agent_id, args = command.server.agent_id, command.args
    if command.cmd not in states.PROCESS_VERBS:
        lent = f"?lent={args['forSec']}" if "forSec" in args else ""
        return reverse("actions:confirm", args=[agent_id, command.target, command.cmd]) + lent
    do = "KILL" if _is_for_kill(command) else args.get("signal", states.RENICE)
    where = reverse("actions:process", args=[agent_id, args.get("pid", 0), args.get("startTicks", 0)])
    return f"{where}?{urlencode({'do': do})}"


def _is_for_kill(command: Command) -> bool:
    """What did not end by a gentler signal may be ended by this one."""
    return command.verdict in verdicts.STILL_THERE and command.args.get("signal") != "KILL"


def _lease(command: Command) -> Lease | None:
    if command.cmd != states.STOP or "forSec" not in command.args:
        return None
    lease: Lease | None = Lease.objects.filter(command=command).select_related("server__newest").first()
    return lease


def version(command: Command, lease: Lease | None, since: Told | None) -> str:
    """Changes with every move, with evidence that comes between, with what becomes of its lease or undid it."""
    lent = lease and (lease.state, lease.until, lease.overdue_at, lease.attempts, lease.reason, lease.server.state)
    shown = (command.state, command.deliveries, command.verdict, command.evidence, lent, since and since.id)
    return blake2s(repr(shown).encode(), digest_size=8).hexdigest()


def _runs(command: Command, service: Service | None) -> str:
    """The line the agent says it ran; before that, the one it will run."""
    ran = command.evidence.get("command")
    if not ran and command.cmd in states.PROCESS_VERBS:
        return verbs.process_line(command.args)
    manager = service.manager if service else ""
    return visible(str(ran)) if ran else verbs.line(manager, command.cmd, visible(command.target))
