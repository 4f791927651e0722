"""A rollout in words: what it does, where it is, why it halted, what was touched and what was not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from actions import reads, verbs
from actions import states as command_states
from actions.rollouts import states
from actions.rollouts.models import Rollout, RolloutStep
from actions.verdicts import service_word
from pmonitor.templatetags import show
from pmonitor.visible import visible
from servers.twins import told_apart

START, STOP, RESTART, RELOAD = states.VERBS
STATE_WORDS: dict[str, Promise] = {
    states.RUNNING: pgettext_lazy("rollout", "Running"),
    states.HALTED: pgettext_lazy("rollout", "Halted"),
    states.FINISHED: pgettext_lazy("rollout", "Finished"),
    states.ENDED: pgettext_lazy("rollout", "Ended"),
}
GLYPHS = {
    states.RUNNING: "running",
    states.HALTED: "failed",
    states.FINISHED: "succeeded",
    states.ENDED: "cancelled",
}
TITLES: dict[str, Promise] = {
    START: gettext_lazy("Rolling start of %(target)s"),
    STOP: gettext_lazy("Rolling stop of %(target)s"),
    RESTART: gettext_lazy("Rolling restart of %(target)s"),
    RELOAD: gettext_lazy("Rolling reload of %(target)s"),
}
DID_NOT: dict[str, Promise] = {
    START: gettext_lazy("%(service)s did not start on %(server)s"),
    STOP: gettext_lazy("%(service)s did not stop on %(server)s"),
    RESTART: gettext_lazy("%(service)s did not restart on %(server)s"),
    RELOAD: gettext_lazy("%(service)s did not reload on %(server)s"),
}
WHY: dict[str, Promise] = {  # why a step failed; what is not here is the state its command came to
    command_states.UNKNOWN: gettext_lazy("the outcome on %(server)s is unknown"),
    command_states.REFUSED: gettext_lazy("the agent of %(server)s refused"),
    command_states.EXPIRED: gettext_lazy("%(server)s did not take the command in time"),
    command_states.CANCELLED: gettext_lazy("the command on %(server)s was taken back"),
    "silent": gettext_lazy("%(server)s is silent"),
    "fell_silent": gettext_lazy("%(server)s fell silent afterwards"),
    "not_asked": gettext_lazy("%(server)s could not be told"),
    "did_not_hold": gettext_lazy("%(service)s on %(server)s became %(now)s afterwards"),
    "main_process_changed": gettext_lazy("%(service)s on %(server)s got another main process afterwards"),
    "not_probed": gettext_lazy("%(service)s on %(server)s could not be probed: %(said)s"),
    "probe_impossible": gettext_lazy("the agent of %(server)s is too old to probe, and nothing was done there"),
    "probe_lost_rights": gettext_lazy("%(service)s on %(server)s was not probed: %(who)s may not act there any more"),
}
PROBE_SAYS: dict[str, Promise] = {  # what failed although its command succeeded
    START: gettext_lazy("%(service)s on %(server)s started, but the probe says: %(said)s"),
    RESTART: gettext_lazy("%(service)s on %(server)s restarted, but the probe says: %(said)s"),
    RELOAD: gettext_lazy("%(service)s on %(server)s reloaded, but the probe says: %(said)s"),
}
WAYS: dict[str, tuple[Promise, Promise, str]] = {  # a way on: its button, the button that confirms it, its icon
    states.RETRY: (gettext_lazy("Retry %(what)s…"), gettext_lazy("Retry %(what)s"), "restart"),
    states.SKIP: (gettext_lazy("Skip it and resume…"), gettext_lazy("Skip and resume"), "play"),
    states.RESUME: (gettext_lazy("Resume…"), gettext_lazy("Resume rollout"), "play"),
    states.HALT: (gettext_lazy("Halt…"), gettext_lazy("Halt rollout"), "clock"),
    states.END: (gettext_lazy("End rollout…"), gettext_lazy("End rollout"), "stop"),
}


def title(rollout: Rollout) -> str:
    """ "Rolling restart of nginx.service"."""
    return titled(rollout.cmd, rollout.target)


def titled(cmd: str, target: str) -> str:
    """The same, before there is a rollout."""
    return str(TITLES[cmd]) % {"target": visible(target)} if cmd in TITLES else f"{cmd} {visible(target)}"


def host(step: RolloutStep) -> str:
    """The short name of a step's server."""
    return told_apart(step.server.hostname, step.server.agent_id, getattr(step, "twin", False))


def why(rollout: Rollout, step: RolloutStep) -> str:
    """Why a step failed, within a sentence: "nginx did not start on web-buh-10"."""
    by_verb = PROBE_SAYS if step.why == "probe" else DID_NOT
    sentence = WHY.get(step.why) or by_verb.get(rollout.cmd) or WHY["not_asked"]
    return str(sentence) % {
        "service": visible(rollout.target).removesuffix(".service"),
        "server": host(step),
        "now": visible(service_word(str(step.facts.get("now", "")))),
        "said": said(step),
        "who": visible(str(step.facts.get("who", ""))),
    }


def said(step: RolloutStep) -> str:
    """What was said of a step by whoever knew: the agent's probe, the hub; without its full stop."""
    told = visible(str(step.facts.get("said", "")))
    return (reads.sentence(str(step.facts.get("verdict", "")), told) or told).rstrip(".")


def headline(rollout: Rollout, steps: Sequence[RolloutStep]) -> str:
    """Where it is, in one sentence without its full stop; the countdown of a pause stands beside it."""
    batches = steps[-1].batch if steps else 0
    words = {"batch": rollout.batch, "batches": batches, "next": rollout.batch + 1}
    if rollout.state == states.HALTED:
        return _halted(rollout, steps, words)
    if rollout.state == states.ENDED:
        return _("Ended by %(who)s") % {"who": visible(str(rollout.facts.get("who", "")))}
    if rollout.state == states.FINISHED:
        return _("Finished")
    if rollout.next_at is not None:
        return _("Holding after batch %(batch)s of %(batches)s") % words
    if not rollout.batch:
        return _("Starting")
    doing = {"doing": str(verbs.VERBS[rollout.cmd].doing), **words}
    return _("%(doing)s, batch %(batch)s of %(batches)s") % doing


def _halted(rollout: Rollout, steps: Sequence[RolloutStep], words: dict[str, Any]) -> str:
    facts = {name: visible(str(value)) for name, value in rollout.facts.items()}
    if rollout.why == "by":
        return _("Halted by %(who)s") % facts
    if rollout.why == "lost_rights":
        return _("Halted: %(who)s may not act on %(server)s any more") % facts
    failed = [step for step in steps if step.state == states.FAILED]
    if not failed:
        return _("Halted in batch %(batch)s of %(batches)s; what was open is settled since") % words
    said = why(rollout, failed[0])
    if len(failed) > 1:
        said = _("%(what)s, and on %(n)s more") % {"what": said, "n": len(failed) - 1}
    return _("Halted in batch %(batch)s of %(batches)s: %(what)s") % {**words, "what": said}


def count(steps: Sequence[RolloutStep]) -> Counter[str]:
    """How many steps are in each state; those at work together."""
    return Counter("working" if step.state in states.AT_WORK else step.state for step in steps)


def done_of(cmd: str, done: int, total: int) -> str:
    """ "9 of 24 servers restarted."."""
    said = {
        START: ngettext("%(n)s of %(all)s server started.", "%(n)s of %(all)s servers started.", total),
        STOP: ngettext("%(n)s of %(all)s server stopped.", "%(n)s of %(all)s servers stopped.", total),
        RESTART: ngettext("%(n)s of %(all)s server restarted.", "%(n)s of %(all)s servers restarted.", total),
        RELOAD: ngettext("%(n)s of %(all)s server reloaded.", "%(n)s of %(all)s servers reloaded.", total),
    }[cmd]
    return said % {"n": show.plain(done), "all": show.plain(total)}


def touched(rollout: Rollout, steps: Sequence[RolloutStep]) -> str:
    """What was touched and what was not."""
    counts = count(steps)
    parts = [done_of(rollout.cmd, counts[states.SUCCEEDED], len(steps))]
    if n := counts[states.FAILED]:
        parts.append(ngettext("%(n)s failed.", "%(n)s failed.", n) % {"n": show.plain(n)})
    if n := counts[states.SKIPPED]:
        parts.append(ngettext("%(n)s was skipped.", "%(n)s were skipped.", n) % {"n": show.plain(n)})
    if n := counts["working"]:
        parts.append(ngettext("%(n)s is at work.", "%(n)s are at work.", n) % {"n": show.plain(n)})
    if n := counts[states.TODO]:
        if rollout.state == states.RUNNING:
            said = ngettext("%(n)s is still to come.", "%(n)s are still to come.", n)
        else:
            said = ngettext(
                "%(n)s was not touched and stays as before.", "%(n)s were not touched and stay as before.", n
            )
        parts.append(said % {"n": show.plain(n)})
    return " ".join(parts)


def tally(cmd: str, steps: Sequence[RolloutStep]) -> list[tuple[str, str]]:
    """(glyph, words) of each group of servers there is: "9 restarted"."""
    counts = count(steps)
    n = {state: {"n": show.plain(number)} for state, number in counts.items()}
    done = {
        START: _("%(n)s started"),
        STOP: _("%(n)s stopped"),
        RESTART: _("%(n)s restarted"),
        RELOAD: _("%(n)s reloaded"),
    }
    groups = (
        (states.SUCCEEDED, "succeeded", done[cmd]),
        (states.FAILED, "failed", _("%(n)s failed")),
        ("working", "running", _("%(n)s at work")),
        (states.SKIPPED, "cancelled", _("%(n)s skipped")),
        (states.TODO, "todo", _("%(n)s not started")),
    )
    return [(glyph, words % n[state]) for state, glyph, words in groups if counts[state]]


def batch_size(size: str) -> str:
    """ "4 at a time", "25% at a time"."""
    return _("%(n)s at a time") % {"n": size}


def at_failure(most: int) -> str:
    """What it does when something fails."""
    if most == 1:
        return _("halt, touch nothing more")
    return _("halt at failure %(n)s, touch nothing more") % {"n": show.plain(most)}
