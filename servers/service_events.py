"""What happened to a service, told from how it was listed before and how it is listed now. Pure: no database, no clock.

Whether a command of ours did it is another matter, and told where events are shown: nothing here knows commands.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

STARTED, STOPPED, RESTARTED, RELOADED = "started", "stopped", "restarted", "reloaded"
CRASHED, OOM_KILLED, FAILED, CAME_BACK = "crashed", "oom_killed", "failed", "came_back"
APPEARED, GONE, BOOTED = "appeared", "gone", "booted"
KINDS = (STARTED, STOPPED, RESTARTED, RELOADED, CRASHED, OOM_KILLED, FAILED, CAME_BACK, APPEARED, GONE, BOOTED)

_UP = ("active", "reloading", "deactivating")  # its main process is there
_ENDED_BADLY = ("signal", "core-dump", "exit-code", "watchdog")
_OOM = "oom-kill"
_LOOP_RESTARTS, _LOOP_EVERY = 3, timedelta(seconds=120)


class Seen(NamedTuple):
    """A service as it was listed, as far as its events go; the fields are columns of its table."""

    name: str
    active_state: str = "inactive"
    sub_state: str = ""
    main_pid: int | None = None
    start_ticks: int | None = None
    n_restarts: int | None = None
    result: str = ""
    since: datetime | None = None
    last_exit: str = ""
    reloaded_at: datetime | None = None
    type: str = ""
    triggered_by: list[str] | str = "[]"

    @property
    def up(self) -> bool:
        return self.active_state in _UP

    @property
    def waits_to_come_back(self) -> bool:
        return self.sub_state == "auto-restart"


class Change(NamedTuple):
    """A service before and now; None where it was not listed."""

    was: Seen | None
    now: Seen | None


class Event(NamedTuple):
    """What happened to a service, when, and by which facts it is known."""

    name: str
    at: datetime
    kind: str
    facts: dict[str, Any]


class Span(NamedTuple):
    """Between which two lists it happened, and by how much the server's clock is ahead of the hub's."""

    after: datetime
    until: datetime
    ahead: timedelta


def events(changes: list[Change], span: Span, booted: bool) -> list[Event]:
    """The events behind these changes; after a boot only those that left a service in another state than before it."""
    found = [Event("", span.until, BOOTED, {})] if booted else []
    for was, now in changes:
        kind = kind_of(was, now)
        if kind and not (booted and kind in (STARTED, RESTARTED, RELOADED, CAME_BACK, APPEARED, GONE)):
            found.append(_event(kind, was, now, span))
    return found


def kind_of(was: Seen | None, now: Seen | None) -> str:
    """What happened; empty where nothing did that is worth telling."""
    if was is None or now is None:
        return _came_or_went(was, now)
    if _is_in_a_loop(was, now):
        return ""
    if now.active_state == "active":
        return _to_active(was, now)
    if now.active_state == "failed" or now.waits_to_come_back:
        return _to_failure(was, now)
    if now.active_state == "inactive":
        return STOPPED if was.up or was.waits_to_come_back else ""
    # On its way up: a service that ran before has been stopped in between.
    return STOPPED if now.active_state == "activating" and was.up else ""


def _came_or_went(was: Seen | None, now: Seen | None) -> str:
    """Instances of templates come and go by their nature: what counts is whether they ran."""
    one = was or now
    if one is None or (one.triggered_by not in ([], "[]") and "@" in one.name):
        return ""  # one for each connection
    if "@" in one.name:
        return (STARTED if now else STOPPED) if one.up else ""
    return APPEARED if now else GONE


def _to_active(was: Seen, now: Seen) -> str:
    if was.waits_to_come_back:
        return CAME_BACK
    if not was.up:
        return STARTED
    if _restarts(now) > _restarts(was):
        return {_OOM: OOM_KILLED}.get(now.last_exit, CRASHED if _is_bad(now.last_exit) else CAME_BACK)
    if _is_another(was, now) or was.active_state == "deactivating":  # listed in the middle of it, without a process
        return RESTARTED
    if now.reloaded_at not in (None, was.reloaded_at):
        return RELOADED
    return RESTARTED if _its_times_tell(was, now) else ""


def _to_failure(was: Seen, now: Seen) -> str:
    same = (was.active_state, was.sub_state, was.since, was.n_restarts) == (
        now.active_state, now.sub_state, now.since, now.n_restarts,
    )  # fmt: skip
    if same:
        return ""
    if now.result == _OOM:
        return OOM_KILLED
    ran = was.type != "oneshot" and (
        was.up or was.waits_to_come_back or (was.active_state == "activating" and was.main_pid is not None)
    )
    if ran and now.result in _ENDED_BADLY:
        return CRASHED
    return STOPPED if now.waits_to_come_back else FAILED


def _is_in_a_loop(was: Seen, now: Seen) -> bool:
    """Whether it keeps dying and coming back: then only each doubling of the count is told, not every round."""
    if was.since is None or now.since is None or not _LOOP_RESTARTS <= _restarts(was) < _restarts(now):
        return False
    often = now.since - was.since < _LOOP_EVERY
    return often and _restarts(was).bit_length() == _restarts(now).bit_length()


def _is_another(was: Seen, now: Seen) -> bool:
    if was.main_pid is None or now.main_pid is None:
        return False
    ticks = (was.start_ticks, now.start_ticks)
    return was.main_pid != now.main_pid or (None not in ticks and ticks[0] != ticks[1])


def _its_times_tell(was: Seen, now: Seen) -> bool:
    """Whether an active service was restarted, where no main process tells: nothing runs of it, or one of the lists
    was made in the very moment in which its main process was gone and its manager did not know that yet."""
    if None in (was.since, now.since) or was.since == now.since:
        return False
    pids = (was.main_pid, now.main_pid)
    return pids == (None, None) or (None in pids and was.sub_state == now.sub_state == "running")


def _is_bad(last_exit: str) -> bool:
    return last_exit not in ("", "0", "SIGTERM", "SIGHUP", "SIGINT", "SIGPIPE")  # what systemd calls a clean end


def _restarts(seen: Seen) -> int:
    return seen.n_restarts or 0


def _event(kind: str, was: Seen | None, now: Seen | None, span: Span) -> Event:
    one = now or was
    assert one is not None  # noqa: S101 - told to the type checker: there is a kind
    at, within = _moment(kind, now, span)
    facts = {
        "pidBefore": was.main_pid if was and kind != STARTED else None,
        "pidNow": now.main_pid if now and kind != STOPPED else None,
        "result": now.result if now and now.result != "success" else None,
        "lastExit": now.last_exit if now and kind not in (STARTED, RESTARTED, RELOADED) else None,
        "restarts": now.n_restarts if now and was and _restarts(now) > _restarts(was) else None,
        "runs": True if kind in (CRASHED, OOM_KILLED, APPEARED) and now and now.active_state == "active" else None,
        "withinSec": within,
    }
    return Event(one.name, at, kind, {name: value for name, value in facts.items() if value not in (None, "")})


def _moment(kind: str, now: Seen | None, span: Span) -> tuple[datetime, float | None]:
    """When by the hub's clock; and, where the manager told no time, within how many seconds before that."""
    told = now and (now.reloaded_at if kind == RELOADED else now.since)
    moment = told and told - span.ahead
    if moment and kind not in (APPEARED, GONE):
        return min(max(moment, span.after), span.until), None
    return span.until, round((span.until - span.after).total_seconds(), 1)
