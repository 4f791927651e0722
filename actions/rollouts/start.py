"""What is checked before a rollout starts, and its plan; a form and the API come through the same door."""

from __future__ import annotations

from hashlib import blake2s
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils.translation import gettext as _

from actions import ask, audit, protection
from actions.lifecycle import Actor
from actions.rollouts import advance, moves, plan, probe, selection, states
from actions.rollouts.models import Rollout, RolloutStep
from actions.rollouts.selection import Selection
from pmonitor.problems import Problem, bad
from servers.models import Server, Service
from servers.states import SILENT

PAUSE_MOST = 86_400  # seconds
SEED_MOST = 2**31 - 1
ONE_AT_A_TIME = 7_164_001  # the advisory lock two starts take one after the other


class Wanted(NamedTuple):
    """A rollout as it is asked for; times in seconds."""

    cmd: str
    target: str
    selection: Selection = Selection()
    batch: str = "1"
    order: str = states.BY_NAME
    seed: int = 0  # of the order "random"
    pause: int = 30
    max_failures: int = 1
    probe: str = ""  # an address on each server; see probe.py
    silent: str = states.SKIP_SILENT
    deliver_within: int = 60
    execute_within: int = 120


class Confirmed(NamedTuple):
    """What the asker said to the plan."""

    reason: str
    servers: int | None = None  # their number, as the asker typed it
    typed: str = ""  # the name of a protected service
    seen: str | None = None  # the digest of the plan that was shown


class Plan(NamedTuple):
    """What would happen: the services of each batch, with their servers, and who is left out."""

    batches: list[list[Service]]
    barred: list[Server]
    lacking: list[Server]
    unable: list[Server]  # of its servers, those whose agents cannot probe as they would have to

    @property
    def total(self) -> int:
        """How many servers it touches."""
        return sum(map(len, self.batches))

    @property
    def silent(self) -> list[Server]:
        """Those of its servers that do not report now."""
        return [one.server for batch in self.batches for one in batch if one.server.state == SILENT]

    @property
    def digest(self) -> str:
        """Changes when the plan is another one: a confirmation carries it."""
        said = [[one.server_id for one in batch] for batch in self.batches]
        return blake2s(repr(said).encode(), digest_size=8).hexdigest()


def wrong_fields(wanted: Wanted) -> dict[str, str]:
    """What is wrong with the values themselves, by the field's name on the wire."""
    wrong = ask.wrong_fields(wanted.cmd, "", wanted.deliver_within, wanted.execute_within)
    for name, value, choices in (
        ("cmd", wanted.cmd, states.VERBS),
        ("order", wanted.order, states.ORDERS),
        ("silent", wanted.silent, states.SILENT_POLICIES),
        ("serviceState", wanted.selection.service_state or selection.STATES[0], selection.STATES),
    ):
        if value not in choices:
            wrong[name] = _("must be one of %(words)s") % {"words": ", ".join(choices)}
    for name, number, bounds in (
        ("pauseSec", wanted.pause, (0, PAUSE_MOST)),
        ("maxFailures", wanted.max_failures, (1, plan.MOST_SERVERS)),
        ("seed", wanted.seed, (0, SEED_MOST)),
    ):
        if not bounds[0] <= number <= bounds[1]:
            wrong[name] = _("must be from %(least)s to %(most)s") % {"least": bounds[0], "most": bounds[1]}
    if not 0 < len(wanted.target) <= ask.TARGET_LENGTH or not wanted.target.isprintable():
        wrong["target"] = _("must be the name of a service")
    if not plan.is_batch_size(wanted.batch):
        wrong["batch"] = _("must be a number of servers such as 4, or a share such as 25%")
    if said := probe.wrong(wanted.probe, wanted.cmd):
        wrong["probe"] = said
    return wrong


def planned(user: Any, wanted: Wanted) -> Plan:
    """The plan for what is in the user's scope now. Problem 400 naming wrong fields; it may come to no server."""
    if wrong := wrong_fields(wanted):
        raise bad(wrong)
    found = selection.find(user, wanted.cmd, wanted.target, wanted.selection)
    if found.unknown:
        raise bad({"servers": _("no such server in your scope: %(names)s") % {"names": ", ".join(found.unknown[:5])}})
    if len(found.services) > plan.MOST_SERVERS:
        raise bad({"servers": _("at most %(most)s servers at once") % {"most": plan.MOST_SERVERS}})
    services = {service.server.agent_id: service for service in found.services}
    names = [(service.server.hostname, agent) for agent, service in services.items()]
    order = plan.ordered(names, wanted.order, wanted.selection.servers, wanted.seed)
    batches = plan.batches([services[agent] for agent in order], wanted.batch)
    servers = [services[agent].server for agent in order] if wanted.probe else []
    able = probe.able(servers)
    unable = [server for server in servers if server.pk not in able]
    return Plan(batches, found.barred, found.lacking, unable)


def start(user: Any, wanted: Wanted, confirmed: Confirmed, address: str | None = None, *, named: str = "") -> Rollout:
    """Start it as it was confirmed; named: what asks in the user's name, where it is another than the user.

    Raises Problem: 400 naming wrong fields, 409 when the plan is another one by now or its servers have a rollout.
    """
    if wrong := _wrong_reason(confirmed.reason):
        raise bad(wrong)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ONE_AT_A_TIME])
        made = planned(user, wanted)
        if not made.total:
            raise bad({"servers": _("no server in your scope that has this service and allows this")})
        if confirmed.seen is not None and confirmed.seen != made.digest:
            raise Problem(409, _("Other servers match than when you looked. This is the plan now."))
        if wrong := _not_confirmed(wanted, confirmed, made):
            raise bad(wrong)
        _nothing_under_way(wanted, made)
        rollout = _recorded(Actor(named or audit.name_of(user), user, address or None), wanted, made, confirmed)
    transaction.on_commit(lambda: advance.advance_one(rollout.pk), robust=True)
    return rollout


def _not_confirmed(wanted: Wanted, confirmed: Confirmed, made: Plan) -> dict[str, str]:
    wrong = protection.missing(wanted.cmd, wanted.target, confirmed.typed, confirmed.reason)
    if (made.total > 1 or confirmed.servers is not None) and confirmed.servers != made.total:
        wrong["count"] = _("must be the number of servers, %(n)s") % {"n": made.total}
    return wrong


def _wrong_reason(reason: str) -> dict[str, str]:
    if not reason.strip() or len(reason) > ask.REASON_LENGTH or "\0" in reason:
        return {"reason": _("must be said, in at most %(length)s characters") % {"length": ask.REASON_LENGTH}}
    return {}


def _nothing_under_way(wanted: Wanted, made: Plan) -> None:
    servers = [one.server_id for batch in made.batches for one in batch]
    steps = RolloutStep.objects.filter(server__in=servers, rollout__target=wanted.target)
    other = steps.exclude(rollout__state__in=states.OVER).values_list("rollout_id", "server__agent_id").first()
    if other:
        words = {"number": other[0], "server": other[1]}
        raise Problem(409, _("Rollout %(number)s of this service is not over yet on %(server)s.") % words)


def _recorded(actor: Actor, wanted: Wanted, made: Plan, confirmed: Confirmed) -> Rollout:
    return moves.start(
        actor,
        [[one.server for one in batch] for batch in made.batches],
        cmd=wanted.cmd,
        target=wanted.target,
        reason=confirmed.reason,
        typed=confirmed.typed,
        probe=wanted.probe,
        selection=wanted.selection.said(),
        batch_size=wanted.batch,
        order=wanted.order,
        pause_sec=wanted.pause,
        max_failures=wanted.max_failures,
        silent=wanted.silent,
        deliver_within_sec=wanted.deliver_within,
        execute_within_sec=wanted.execute_within,
    )
