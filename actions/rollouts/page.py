"""What the page of a rollout shows, as the fragments that are pushed when it moves."""

from __future__ import annotations

from hashlib import blake2s
from itertools import groupby
from typing import Any, NamedTuple

from django.template.loader import get_template
from django.utils.html import format_html
from django.utils.translation import gettext as _

from actions import command_page, verbs, verdicts
from actions import states as command_states
from actions.models import Command
from actions.rollouts import states, ways_on, words
from actions.rollouts.models import Rollout, RolloutStep
from pmonitor import access
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.models import Server
from servers.twins import twin_of


class Cell(NamedTuple):
    """One server of a batch; word: its state for those who cannot see the glyph, note: what is known of it."""

    step: RolloutStep
    state: str
    word: str
    note: str
    name: str


def steps_of(rollout: Rollout) -> list[RolloutStep]:
    """All steps in their order, with servers and commands, and whether a server has a twin; one query."""
    steps = RolloutStep.objects.filter(rollout=rollout).annotate(twin=twin_of(Server, "server__"))
    return list(steps.select_related("server", "command").order_by("place"))


def context(rollout: Rollout, role: str) -> dict[str, Any]:
    """Everything rollout.html shows besides the fragments."""
    steps = steps_of(rollout)
    return {
        "rollout": rollout,
        "title": words.title(rollout),
        "fragments": fragments(rollout, steps, role),
        "batches": _batch_count(steps),
        "servers": len(steps),
        "chips": chips(rollout.selection),
        "size": words.batch_size(rollout.batch_size),
        "gate": gate(rollout),
        "probe": visible(rollout.probe),
        "at_failure": words.at_failure(rollout.max_failures),
        "at_silence": _("skip it") if rollout.silent == states.SKIP_SILENT else _("count it as a failure"),
        "reason": visible(rollout.reason),
    }


def fragments(rollout: Rollout, steps: list[RolloutStep], role: str) -> dict[str, str]:
    """The live elements by id, in the page's order."""
    acting = role in (access.OPERATOR, access.ADMIN)
    made = {
        "version": format_html(
            '<span hidden id="rollout-version" data-topic="rollout:{}" data-version="{}"></span>',
            str(rollout.pk),
            version(rollout, steps),
        ),
        "state": state_html(rollout, steps, acting),
        "tally": get_template("_rollout_tally.html").render(_tally(rollout, steps)),
        "failure": get_template("_rollout_failure.html").render(_failure(rollout, steps)),
    }
    last = _batch_count(steps)
    for number, batch in groupby(steps, key=lambda step: step.batch):
        of_it = _batch(rollout, number, list(batch), last)
        made[f"batch-{number}"] = get_template("_rollout_batch.html").render(of_it)
    return made


def state_html(rollout: Rollout, steps: list[RolloutStep], acting: bool, oob: bool = False) -> str:
    """The sentence with its buttons, `#rollout-state`."""
    failed = [step for step in steps if step.state == states.FAILED]
    ways = ways_on.offered(rollout.state, len(failed)) if acting else []
    return get_template("_rollout_state.html").render(
        {
            "rollout": rollout,
            "glyph_state": words.GLYPHS[rollout.state],
            "headline": words.headline(rollout, steps),
            "touched": words.touched(rollout, steps),
            "ways": [button(way, failed) for way in ways],
            "oob": oob,
        }
    )


def button(way: str, failed: list[RolloutStep]) -> dict[str, Any]:
    """A way on as a button: its words, its icon, and whether it is the first choice."""
    opens, confirms, icon = words.WAYS[way]
    what = words.host(failed[0]) if len(failed) == 1 else _("what failed")
    first = way in (states.RETRY, states.RESUME)
    said = {"what": what}
    return {"way": way, "opens": str(opens) % said, "confirms": str(confirms) % said, "icon": icon, "first": first}


def version(rollout: Rollout, steps: list[RolloutStep]) -> str:
    """Changes with every move of the rollout, its steps and their commands."""
    moved = (rollout.state, rollout.moves, rollout.batch, rollout.next_at)
    of_steps = [(one.state, one.why, one.command_id, one.command and one.command.state) for one in steps]
    return blake2s(repr((moved, of_steps)).encode(), digest_size=8).hexdigest()


def gate(rollout: Rollout) -> str:
    """What has to hold before the next batch."""
    if rollout.cmd == command_states.STOP:
        return _("stopped, and still so until the next batch")
    return _("verified outcome, the same state and main PID until the next batch")


def chips(chosen: dict[str, Any]) -> list[str]:
    """What the servers were chosen by, as labels."""
    said = [str(chosen[name]) for name in ("group", "label", "name") if chosen.get(name)]
    if chosen.get("serviceState"):
        said.append(verdicts.service_word(str(chosen["serviceState"])))
    if chosen.get("servers"):
        said.append(_("chosen one by one"))
    return [visible(text) for text in said]


def _batch_count(steps: list[RolloutStep]) -> int:
    return steps[-1].batch if steps else 0


def _tally(rollout: Rollout, steps: list[RolloutStep]) -> dict[str, Any]:
    groups = words.tally(rollout.cmd, steps)
    glyphs = {states.ASKED: "running", states.CHECKING: "running", states.SKIPPED: "cancelled"}
    over = rollout.state != states.RUNNING
    return {
        "rollout": rollout,
        "marks": [glyphs.get(step.state, step.state) for step in steps],
        "groups": groups,
        "total": len(steps),
        "label": ", ".join(said for _glyph, said in groups),
        "lasted": show.duration((rollout.changed_at - rollout.created_at).total_seconds()) if over else "",
        "word": words.STATE_WORDS[rollout.state],
        "by": visible(rollout.asked_by_name),
    }


def _batch(rollout: Rollout, number: int, steps: list[RolloutStep], last: int) -> dict[str, Any]:
    counts = words.count(steps)
    unfinished = any(step.state in states.UNFINISHED for step in steps)
    now = rollout.state == states.RUNNING and number == rollout.batch
    state = "failed" if counts[states.FAILED] else "running" if now and unfinished else "todo"
    if not unfinished and not counts[states.FAILED]:
        state = "succeeded"
    return {
        "number": number,
        "state": state,
        "said": _fared(rollout, counts, len(steps), begun=number <= rollout.batch),
        "cells": [cell(rollout, step) for step in steps],
        "gate": _gate(rollout, number, state, last),
        "until": rollout.next_at if now else None,
    }


def _fared(rollout: Rollout, counts: Any, total: int, begun: bool) -> str:
    if not begun and counts[states.TODO] == total:
        return _("waiting") if rollout.state == states.RUNNING else _("held")
    said = _("%(n)s of %(all)s") % {"n": show.plain(counts[states.SUCCEEDED]), "all": show.plain(total)}
    if counts[states.FAILED]:
        return f"{said}, {_('%(n)s failed') % {'n': show.plain(counts[states.FAILED])}}"
    return said


def _gate(rollout: Rollout, number: int, state: str, last: int) -> tuple[str, str]:
    """Glyph and words of the gate after a batch."""
    if state == "failed" and rollout.state != states.RUNNING:
        return "failed", _("Gate closed, halted") if rollout.state == states.HALTED else _("Gate closed")
    if state == "succeeded" and number == rollout.batch and rollout.next_at:
        return "running", _("Holding")
    if number < rollout.batch or state == "succeeded":
        return "succeeded", _("Gate passed") if number < last else _("Last batch")
    return "todo", _("Waiting") if number < last else _("Last batch")


def cell(rollout: Rollout, step: RolloutStep) -> Cell:
    """One server as a cell."""
    state, word, note = _shown(rollout, step)
    return Cell(step, state, word, note, words.host(step))


def _shown(rollout: Rollout, step: RolloutStep) -> tuple[str, str, str]:
    command: Command | None = step.command
    if step.state == states.CHECKING:
        return "running", _("Checking"), _("checking")
    if step.state in states.AT_WORK and command is not None:
        word = str(verbs.STATE_WORDS[command.state])
        joined = _("joined %(who)s") % {"who": visible(command.asked_by_name)}
        return command.state, word, joined if step.joined else word
    if step.state == states.SUCCEEDED:
        return "succeeded", str(verbs.STATE_WORDS["succeeded"]), _main_pid(command)
    if step.state == states.FAILED:
        return "failed", str(verbs.STATE_WORDS["failed"]), _failed_note(rollout, step)
    if step.state == states.SKIPPED:
        silent = step.why == "silent"
        return "cancelled", _("Skipped"), _("silent, not touched") if silent else _("failed before")
    return "todo", _("Not started"), _("to come") if rollout.state == states.RUNNING else _("not touched")


def _main_pid(command: Command | None) -> str:
    evidence = command.evidence if command else {}
    before, after = ((evidence.get(side) or {}).get("mainPid") for side in ("before", "after"))
    if before and after and before != after:
        return _("PID %(before)s → %(after)s") % {"before": before, "after": after}
    if after:
        return _("PID %(pid)s") % {"pid": after}
    return command_page.took(command) if command else ""


def _failed_note(rollout: Rollout, step: RolloutStep) -> str:
    if step.why == "failed" and step.command and step.command.facts.get("exitCode"):
        return _("exit code %(code)s") % {"code": step.command.facts["exitCode"]}
    return words.why(rollout, step)


def _failure(rollout: Rollout, steps: list[RolloutStep]) -> dict[str, Any]:
    """The first failed step with the evidence of its command; nothing when nothing failed."""
    step = next((step for step in steps if step.state == states.FAILED), None)
    if step is None:
        return {"step": None}
    command = step.command
    compared = command_page.evidence(command)[:2] if command else []
    return {
        "step": step,
        "command": command,
        "pill": command_page.pill(command) if command else verbs.STATE_WORDS["failed"],
        "pill_state": command.state if command else "failed",
        "host": words.host(step),
        "why": words.why(rollout, step),
        "said": _said(step),
        "evidence": compared,
        "log": command_page.log_lines(command) if command else "",
    }


def _said(step: RolloutStep) -> str:
    if step.facts.get("url"):  # its answer is in the reason
        return _("Probed there: %(url)s") % {"url": visible(str(step.facts["url"]))}
    told = visible(str(step.facts.get("said", "")))
    return told or (visible(verdicts.sentence(step.command)) if step.command else "")
