"""The last log lines of a capsule's unit: asked of its agent once, by the hub, and kept when they come.

As everywhere, operators may read them and viewers may not: capsule_page.py keeps to that.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from actions import reads, service_log
from actions.models import Read
from alerts.models import Incident
from servers.models import Server

LINES = 50
CHARS = 20_000  # of all lines that are kept
ASKING = "asking"


def ask(incident: Incident, server: Server, unit: str) -> dict[str, Any]:
    """Ask the agent, as the incident of the server's unit; what stands in the capsule until it answers, or for good."""
    why = f"Incident {incident.uuid}: {incident.rule_name}"
    read = reads.ask(None, server, service_log.KIND, unit, {"lines": LINES}, limited=False, reason=why)
    return {"state": reads.verdict_of(read) or ASKING, "read": read.pk, "askedAt": timezone.now().isoformat()}


def heard(asked: dict[str, Any], read: Read | None) -> dict[str, Any] | None:
    """What the read came to, None while it is open. One that is kept no longer was not answered in its time."""
    verdict = reads.verdict_of(read) if read else reads.LATE
    if not verdict:
        return None
    told = {**asked, "state": verdict}
    if read and verdict == reads.FAILED:
        return {**told, "error": read.error}
    if read is None or verdict != reads.ANSWERED or read.answer is None:
        return told
    lines = _newest(read.answer["lines"])
    cut = read.answer["cut"] or len(lines) < len(read.answer["lines"])
    return {**told, "lines": lines, "cut": cut, "source": read.answer["source"]}


def _newest(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    chars = 0
    for line in reversed(lines[-LINES:]):
        chars += len(line["text"])
        if chars > CHARS and kept:
            break
        kept.append(line)
    return kept[::-1]
