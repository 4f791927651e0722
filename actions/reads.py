"""Reads on demand: questions to a server's agent that change nothing there, each given once and answered soon or never.

A read is asked for with its audit entry, taken by the agent out of the same poll as its commands, answered by a
conditional update, and shown by the topic `read:<number>`. What kinds there are, other modules put into KINDS.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import QuerySet
from django.template.loader import get_template
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from actions import audit, lifecycle, wire
from actions.models import AuditEntry, Read
from pmonitor import limits, live, logs, rows
from pmonitor.problems import Problem, bad
from pmonitor.visible import visible
from servers import states, wrong_fields
from servers.models import Newest, Server

log = logs.get(__name__)
FEATURE = "reads"  # what an agent that answers reads calls it
ANSWER_WITHIN = timedelta(seconds=10)
KEPT = timedelta(hours=1)
RECORD_EVERY = timedelta(minutes=10)  # while one looks on and asks again every few seconds
AT_ONCE = 10  # reads given in one poll

# How a read ended.
ANSWERED, FAILED, LATE = "answered", "failed", "late"
WAITING, SILENT, TOO_OLD = "waiting", "silent", "too_old"  # not asked at all


class Kind(NamedTuple):
    """One kind of read: the shape of its answer, and how that is shown."""

    titled: Any  # in the audit trail: "Log of %(target)s"
    answer: type[msgspec.Struct]
    html: Callable[[Read], SafeString]  # of an answered one, below its root element


READ = rows.Columns(Read, "given")
# In one statement whose SQL is ready, as every poll of every waiting agent looks for them. A poll at the same time
# waits for the row, then finds it given.
TAKE = f"""
WITH given AS (
    UPDATE actions_read SET given_at = %(now)s WHERE id IN (
        SELECT id FROM actions_read
        WHERE server_id = %(server)s AND verdict = '' AND given_at IS NULL AND answer_by > %(now)s
        ORDER BY id LIMIT %(limit)s FOR UPDATE
    ) RETURNING *
)
SELECT {READ} FROM given ORDER BY id
"""  # noqa: S608 - the names of the model's columns

KINDS: dict[str, Kind] = {}
HEARD: list[Callable[[Read], None]] = []  # who else is told of an answer, in its transaction; see additions.py


def ask(
    user: Any,
    server: Server,
    kind: str,
    target: str,
    args: dict[str, Any] | None = None,
    address: str | None = None,
    *,
    limited: bool = True,
    again: bool = False,
    reason: str = "",
) -> Read:
    """Ask the server's agent, or end the read at once when it cannot answer. The caller has checked role and scope.

    user: None when the hub itself wants to know; such an answer is shown to nobody. reason: why, for the trail.
    limited: counts against the user's rate, Problem 429 past it. again: the same look goes on, for which the trail
    gets an entry every RECORD_EVERY instead of each time.
    """
    if limited:
        limits.hit("reads", f"user-{user.pk}")
    now, verdict = timezone.now(), cannot(server)
    with transaction.atomic():
        read = Read.objects.create(
            server=server,
            kind=kind,
            target=target,
            args=args or {},
            asked_by=user,
            asked_from=address or None,
            asked_at=now,
            answer_by=now + ANSWER_WITHIN,
            verdict=verdict,
        )
        if not again or not _recorded(read):
            _record(read, reason)
        if not verdict:
            lifecycle.wake_agent(server.pk)
    return read


def cannot(server: Server) -> str:
    """Why the agent cannot be asked; empty when it can."""
    newest = Newest.objects.filter(server=server).first()
    if newest is None:
        return WAITING
    if server.state == states.SILENT:
        return SILENT
    return "" if FEATURE in newest.facts.get("features", ()) else TOO_OLD


def take(server: Server) -> list[Read]:
    """The server's open reads for its agent, oldest first; each is given once, to one caller, and never again."""
    values = {"server": server.pk, "now": timezone.now(), "limit": AT_ONCE}
    return [read for row in rows.every(TAKE, values) if (read := READ.take(row))]


def answer(server: Server, uuid: UUID, said: wire.Answer) -> None:
    """Keep what the agent says. Problem: 404 not this server's; 409 too late, answered, not given; 400 wrong shape."""
    read = Read.objects.filter(server=server, uuid=uuid).first()
    if read is None:
        raise Problem(404, "This server was not asked that.")
    if (said.answer is None) == (said.error is None):
        raise bad({"answer": "expected either this or error"})
    kept = None if said.answer is None else _in_shape(read.kind, said.answer)
    now = timezone.now()
    here = _mine(read).filter(given_at__isnull=False, answer_by__gt=now)
    with transaction.atomic():
        verdict = FAILED if kept is None else ANSWERED
        if not here.update(verdict=verdict, answered_at=now, answer=kept, error=said.error or ""):
            raise Problem(409, "Too late: nobody waits for this answer any more.")
        live.announce(f"read:{read.pk}")
        for told in HEARD:
            told(read)


def unanswered() -> QuerySet[Read]:
    """Reads that have not ended."""
    return Read.objects.filter(verdict="")


def end_unanswered() -> int:
    """Worker step: what was not answered in time will not be."""
    late = list(unanswered().filter(answer_by__lte=timezone.now()).order_by("id")[:500])
    ended = [read for read in late if _mine(read).update(verdict=LATE)]
    if ended:
        live.announce(*(f"read:{read.pk}" for read in ended))
    return len(ended)


def forget_old() -> int:
    """Worker step: answers are for the moment; that something was asked stays in the audit trail."""
    return int(Read.objects.filter(asked_at__lt=timezone.now() - KEPT).delete()[0])


def why(read: Read) -> str:
    """Why there is no answer, in a sentence; empty when there is one, or may yet be."""
    return sentence(verdict_of(read), read.error)


def sentence(verdict: str, error: str = "") -> str:
    """The same, of a read that is no more; error: the agent's own words."""
    sentences = {
        WAITING: _("No report has come from this server yet, so it was not asked."),
        SILENT: _("This server is silent, so it was not asked."),
        TOO_OLD: _("The agent of this server is too old for this: install the newest one there."),
        LATE: _("The server did not answer within %(n)s s.") % {"n": round(ANSWER_WITHIN.total_seconds())},
        FAILED: visible(error),
    }
    return str(sentences.get(verdict, ""))


def verdict_of(read: Read) -> str:
    """How it ended, empty while it is open; late as soon as its time is over, also before the worker was there."""
    return read.verdict or (LATE if read.answer_by <= timezone.now() else "")


def version(read: Read) -> str:
    """What a page compares to know whether it shows how the read ended."""
    return verdict_of(read) or "open"


def html(read: Read) -> str:
    """The read as its page shows it: asking, the answer, or why there is none. Once it has ended nothing watches it."""
    verdict = verdict_of(read)
    context = {
        "read": read,
        "open": not verdict,
        "version": version(read),
        "answer": KINDS[read.kind].html(read) if verdict == ANSWERED else "",
        "why": why(read),
    }
    return get_template("_read.html").render(context)


def for_agent(read: Read) -> dict[str, Any]:
    """A read as its agent gets it."""
    said = {"id": str(read.uuid), "kind": read.kind, "target": read.target, "args": read.args}
    return {**said, "answerBy": read.answer_by}


def _mine(read: Read) -> Any:
    return Read.objects.filter(pk=read.pk, verdict="")


def _in_shape(kind: str, given: dict[str, Any]) -> dict[str, Any]:
    shape = KINDS[kind].answer
    try:
        kept: dict[str, Any] = msgspec.to_builtins(msgspec.convert(given, shape))
    except msgspec.ValidationError as error:
        wrong = wrong_fields.find(given, shape) or {"": str(error)}
        raise bad({f"answer.{name}".rstrip("."): what for name, what in wrong.items()}) from error
    return kept


def _recorded(read: Read) -> bool:
    same = AuditEntry.objects.filter(server=read.server_id, target=read.target, event=f"read.{read.kind}")
    return bool(same.filter(actor_user=read.asked_by, at__gt=read.asked_at - RECORD_EVERY).exists())


def _record(read: Read, reason: str) -> None:
    audit.write(
        f"read.{read.kind}",
        actor=audit.name_of(read.asked_by) if read.asked_by else audit.HUB,
        user=read.asked_by,
        address=read.asked_from,
        server=read.server,
        target=read.target,
        reason=reason,
        facts={**({"args": read.args} if read.args else {}), **({"verdict": read.verdict} if read.verdict else {})},
    )
