"""The sentence that tells a person how a command ended and what proves it: a table, by the verdict's key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from actions import states
from actions.models import Command
from pmonitor.templatetags import show

SENTENCES: dict[str, Promise] = {
    "started": _("Up and steady: active for %(heldSec)s s."),
    "already_active": _("It was active already and stayed so; nothing was changed."),
    "ran_to_end": _("It ran to its end without an error."),
    "keeps_dying": _("It keeps dying: restarted %(died)s times in %(watchedSec)s s."),
    "keeps_dying_seen": _("It keeps dying: restarted %(died)s times."),
    "died_waits": _("It started and died; its manager waits to start it again."),
    "died": _("It started, and died %(livedSec)s s later."),
    "ended_soon": _("It started, and ended by itself %(livedSec)s s later without an error. It does not run now."),
    "start_limit": _("It was started too often in a short time, so its manager refuses to start it for now."),
    "never_ready": _("Its process runs, but has not said that it is ready. The next reports will settle it."),
    "not_ready": _("It did not say in time that it was ready, so its manager ended it."),
    "masked": _("It is masked: its manager starts it for nobody until it is unmasked on the server."),
    "not_found": _("The server has no such unit any more."),
    "ran_unseen": _("It is not running, as is normal for it, and nothing shows whether it ran."),
    "not_started": _("The service did not start."),
    "booted_not_running": _("The server was booted anew in between, and the service does not run since."),
    "booted_unseen": _("The server was booted anew meanwhile; whether it did its work before cannot be told any more."),
    "restarted": _("Back and steady: active for %(heldSec)s s."),
    "not_restarted": _("It was not restarted: the main process is the same as before."),
    "stopped_not_started": _("It was stopped, and did not start again."),
    "did_not_come_back": _("The service did not come back."),
    "identity_unknown": _("It is active, but nothing shows whether it was restarted. The next reports will settle it."),
    "stopped": _("Stopped, and still inactive after %(heldSec)s s."),
    "stopped_for_a_time": _("Stopped for a time, and still inactive after %(heldSec)s s."),
    "extended": _("It stays stopped for longer."),
    "kept": _("It stays stopped; nothing starts it by itself."),
    "kept_active": _("It will not be started by the agent, but it is active already."),
    "lease_unknown": _("The agent was interrupted, and has not said whether it changed the end of the stop."),
    "already_stopped": _("It was not running already; nothing was changed."),
    "stopped_with_failure": _("Stopped: it does not run any more, but it ended badly."),
    "not_stopped": _("It was not stopped: it is still active."),
    "came_back": _("It was stopped, and something started it again."),
    "reloaded": _("Reloaded: active for %(heldSec)s s, the same main process as before."),
    "reload_failed": _("The reload failed; the service is active, the same main process as before."),
    "reload_restarted": _("The service has another main process now: it was restarted, not reloaded."),
    "reload_ended_it": _("The service did not survive the reload."),
    "reload_not_running": _("There was nothing to reload: the service was not active."),
    "not_reloaded": _("It was not reloaded: its last reload is the one from before."),
    "reload_unseen": _("The agent was interrupted, and its manager does not tell of reloads."),
    "unfinished": _("It had not finished when the agent stopped watching."),
    "still_at_it": _("It had not finished when the agent stopped watching. The next reports will settle it."),
    "not_held": _("It came there, but was not watched for %(settleSec)s s. The next reports will settle it."),
    "not_observed": _("The agent said done, but not what it saw. The next reports will settle it."),
    "interrupted": _("The agent was interrupted before it saw the outcome. The next reports will settle it."),
    "said_failed": _("The agent could not do it."),
    "refused": _("The agent refused. Nothing was touched."),
    "refused_late": _("The agent had started it, and then refused."),
    "timed_out": _(
        "The agent started it but no answer came in %(withinSec)s s, so the outcome is unknown. "
        "The next reports will settle it."
    ),
    "expired": _("Not delivered in %(within)s. It will never run."),
    "expired_silent": _("Not delivered in %(within)s because the server was silent. It will never run."),
    "expired_delivered": _("The agent did not begin it in %(within)s. It will never run."),
    "expired_away": _(
        "Not delivered in %(within)s: the hub was away, or its clock was set forward, meanwhile. It will never run."
    ),
    "expired_clock": _("The hub's clock was set back while it waited. It will never run."),
    "unsettled": _("The outcome stays unknown: %(minutes)s min of reports did not prove it."),
    "cancelled": _("Taken back by %(by)s. It never ran."),
    # of commands on processes
    "ended": _("%(signal)s ended it."),
    "ended_unreaped": _("It has ended; its parent has not taken note of it yet (a zombie)."),
    "gone": _("It is gone."),
    "process_gone": _("It is not there any more."),
    "not_survived": _("It did not survive %(signal)s."),
    "still_there": _("It is still there %(heldSec)s s after %(signal)s."),
    "still_there_stopped": _("It is still there: it is stopped, so %(signal)s waits until it goes on (CONT)."),
    "still_there_waits": _("It is still there: it waits for a disk or a network share, and %(signal)s for that."),
    "still_there_unsure": _("It is still there; nothing shows whether %(signal)s reached it."),
    "process_stopped": _("It is stopped, and was still so after %(heldSec)s s."),
    "process_runs": _("It is not stopped: something let it go on."),
    "continued": _("It goes on: not stopped for %(heldSec)s s."),
    "still_stopped": _("It is still stopped."),
    "delivered": _("%(signal)s was delivered; the process is still there."),
    "delivered_waits": _("%(signal)s was delivered; the process is stopped, so it waits until it goes on (CONT)."),
    "signal_unseen": _("The agent was interrupted, and %(signal)s leaves nothing that a report could show."),
    "reniced": _("Its nice value is %(nice)s."),
    "not_reniced": _("Its nice value is %(nice)s, not %(wanted)s."),
}
# Facts that the sentences name.
NAMED = (
    "heldSec",
    "withinSec",
    "within",
    "by",
    "signal",
    "nice",
    "wanted",
    "died",
    "watchedSec",
    "livedSec",
    "minutes",
)
STILL_THERE = ("still_there", "still_there_stopped", "still_there_waits", "still_there_unsure")  # KILL is the way on
SPANS = ((600, 1, "s"), (7200, 60, "min"), (259_200, 3600, "h"), (float("inf"), 86_400, "d"))  # up to, seconds, unit
SERVICE_STATES: dict[str, Promise] = {
    "active": pgettext_lazy("service", "active"),
    "inactive": pgettext_lazy("service", "inactive"),
    "failed": pgettext_lazy("service", "failed"),
    "activating": pgettext_lazy("service", "activating"),
    "deactivating": pgettext_lazy("service", "deactivating"),
    "reloading": pgettext_lazy("service", "reloading"),
    "masked": pgettext_lazy("service", "masked"),
}


def sentence(command: Command) -> str:
    """Why the command ended as it did, in the active language; empty while it is open."""
    if not command.verdict:
        return ""
    facts = _known(command.facts)
    return " ".join([_first(command.verdict, facts), *_details(command, facts)])


def of(verdict: str, facts: dict[str, Any]) -> str:
    """A verdict's sentence, with the main process where it is known."""
    first, known = _first(verdict, _known(facts)), _known(facts)
    return " ".join([first, *([gettext("Main PID %(mainPid)s.") % known] if known.get("mainPid") else [])])


def _first(verdict: str, facts: dict[str, Any]) -> str:
    return str(SENTENCES[verdict]) % facts if verdict in SENTENCES else verdict


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    within = {"within": span(facts["withinSec"])} if "withinSec" in facts else {}
    return {**dict.fromkeys(NAMED, "?"), "settleSec": 5, **within, **_shown(facts)}


def _details(command: Command, facts: dict[str, Any]) -> list[str]:
    """The facts after the sentence: what says why, and where it stood before."""
    details = []
    if command.state == states.SUCCEEDED and facts.get("mainPid"):
        details.append(gettext("Main PID %(mainPid)s.") % facts)
    if facts.get("until") and command.cmd != states.STOP:  # of a stop its lease tells, as it is by now
        at = datetime.fromisoformat(facts["until"]).astimezone(UTC)
        details.append(gettext("Its agent starts it again at %(time)s UTC.") % {"time": f"{at:%H:%M:%S}"})
    if facts.get("exitCode"):
        details.append(gettext("Exit code %(exitCode)s.") % facts)
    if command.state == states.FAILED and facts.get("result", "success") != "success":
        details.append(gettext("Its result: %(result)s.") % facts)
    if command.state == states.FAILED and facts.get("lastExit"):
        details.append(exit_sentence(str(facts["lastExit"])))
    if (command.state == states.SUCCEEDED or command.verdict == "start_limit") and (died := command.facts.get("died")):
        words = ngettext("It died %(n)s time before that.", "It died %(n)s times before that.", died)
        details.append(words % {"n": died})
    if command.cmd == states.STOP and facts.get("triggeredBy"):
        details.append(trigger_sentence(facts["triggeredBy"]))
    if command.verdict == "unsettled":
        details.append(_now(facts.get("now")))
    if command.cmd == states.RESTART and {"before", "now"} <= facts.keys():
        details += _before(command, facts)
    if facts.get("reason"):
        details.append(gettext("The agent says: %(reason)s") % facts)
    return details


def _now(state: str | None) -> str:
    if not state:
        return gettext("The server does not list the service any more.")
    return gettext("The service is %(state)s now.") % {"state": service_word(state)}


def exit_sentence(last_exit: str) -> str:
    """How a service's main process ended, out of "7", "SIGSEGV" or "oom-kill"."""
    if last_exit == "oom-kill":
        return gettext("It was killed because the memory was used up.")
    if last_exit.isdecimal():
        return gettext("Its main process ended with status %(status)s.") % {"status": last_exit}
    return gettext("Its main process was ended by %(signal)s.") % {"signal": last_exit}


def trigger_sentence(units: list[str]) -> str:
    """Who starts the service again though it was stopped."""
    sockets = [unit for unit in units if unit.endswith(".socket")]
    if sockets:
        return gettext("Its socket (%(unit)s) starts it again on the next connection.") % {"unit": sockets[0]}
    return gettext("%(unit)s starts it again when it is due.") % {"unit": units[0]}


def late(command: Command) -> str:
    """What the agent's answer said that came when the outcome was settled already; empty where none did."""
    told = command.evidence.get("late")
    if not isinstance(told, dict):
        return ""
    said = Command(cmd=command.cmd, state=told["state"], verdict=told["verdict"], facts=told["facts"])
    return gettext("The agent's answer came after that, and changes nothing: %(said)s") % {"said": sentence(said)}


def _before(command: Command, facts: dict[str, Any]) -> list[str]:
    words = {"before": service_word(facts["before"]), "now": service_word(facts["now"])}
    if command.state == states.FAILED:
        return [gettext("It was %(before)s before and is %(now)s now.") % words]
    return [] if facts["before"] == "active" else [gettext("It was %(before)s before.") % words]


def service_word(state: str) -> str:
    """A service's state in the active language; a manager's own word as it is."""
    return str(SERVICE_STATES.get(state, state))


def span(seconds: float) -> str:
    """A time to wait: 60 s, 10 min, 24 h, 30 d."""
    size, unit = next((size, unit) for most, size, unit in SPANS if seconds < most)
    return f"{show.plain(seconds / size)} {show.unit_words()[unit]}"


def _shown(facts: dict[str, Any]) -> dict[str, Any]:
    """Seconds whole: 5.01 s is shown as 5 s."""
    return {name: f"{value:.0f}" if isinstance(value, float) else value for name, value in facts.items()}
