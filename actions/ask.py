"""What is checked before a command is queued; a form and the API ask through the same door."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from actions import arguments, audit, leases, lifecycle, processes, protection, settling, states, targets, verbs
from actions.models import Command
from actions.rollouts.models import Rollout
from actions.schedules.models import Schedule
from pmonitor.problems import Problem, bad
from servers.models import Newest, Server, Service

DELIVER_WITHIN = (10, 30 * 86_400)  # seconds
EXECUTE_WITHIN = (5, 3_600)  # seconds
REASON_LENGTH = 200  # characters
TARGET_LENGTH = 255  # characters
ATTEMPTS = 3


class Asked(NamedTuple):
    """The command that will do it; joined: it was asked for already, and this asker joins."""

    command: Command
    joined: bool


class Question(NamedTuple):
    """Who asks for what, where."""

    actor: lifecycle.Actor
    server: Server
    cmd: str
    target: str
    reason: str
    args: dict[str, Any]
    origin: dict[str, Any] = {}  # the rollout or the schedule whose command it is, by the column's name


def ask(
    user: Any,
    server: Server,
    cmd: str,
    target: str,
    *,
    reason: str = "",
    deliver_within: int = 60,
    execute_within: int = 120,
    args: dict[str, Any] | None = None,
    expect: dict[str, Any] | None = None,
    typed: str = "",
    address: str | None = None,
    rollout: Rollout | None = None,
    schedule: Schedule | None = None,
    named: str = "",
) -> Asked:
    """Queue a command, or join the same one; times in seconds. The caller has checked role and scope.

    rollout, schedule: whose command it is, when no person asks just now; named: what asks in the user's name, where it
    is another than the user.

    Raises Problem: 400 naming wrong fields, 409 when the service cannot be told so now. A denial is in the audit trail.
    """
    args = args or {}
    if wrong := wrong_fields(cmd, reason, deliver_within, execute_within) or arguments.wrong(cmd, args):
        raise bad(wrong)
    actor = lifecycle.Actor(named or audit.name_of(user), user, address or None)
    origin = {name: one for name, one in (("rollout", rollout), ("schedule", schedule)) if one}
    question = Question(actor, server, cmd, target, reason, args, origin)
    try:
        question, listed, protected = _listed(question)
        if lacking := protection.missing(cmd, question.target, typed, reason, protected):
            raise bad(lacking)
        return _queue_or_join(question, listed, deliver_within, execute_within, expect)
    except Problem as problem:
        _deny(question, problem.sentence)
        raise


def _queue_or_join(
    question: Question,
    listed: dict[str, Any] | None,
    deliver_within: int,
    execute_within: int,
    expect: dict[str, Any] | None,
) -> Asked:
    if refusal := leases.refusal(question.server, question.cmd, question.target, question.args):
        raise Problem(409, refusal)
    for _attempt in range(ATTEMPTS):  # the table says whether there is one at work: asking first would cost a query
        if command := _queue(question, listed, deliver_within, execute_within, expect):
            return Asked(command, joined=False)
        if active := _active(question):
            return _join(question, active)
    raise Problem(409, _("Other commands on this service kept coming in between; try again."))


def wrong_fields(cmd: str, reason: str, deliver_within: int, execute_within: int) -> dict[str, str]:
    """What is wrong with the values themselves, by the field's name on the wire."""
    wrong = {}
    if cmd not in states.VERBS:
        wrong["cmd"] = _("must be one of %(verbs)s") % {"verbs": ", ".join(states.VERBS)}
    if len(reason) > REASON_LENGTH:
        wrong["reason"] = _("must have at most %(length)s characters") % {"length": REASON_LENGTH}
    if "\0" in reason:
        wrong["reason"] = _("must not contain NUL")
    for name, value, bounds in (
        ("deliverWithinSec", deliver_within, DELIVER_WITHIN),
        ("executeWithinSec", execute_within, EXECUTE_WITHIN),
    ):
        if not bounds[0] <= value <= bounds[1]:
            wrong[name] = _("must be from %(least)s to %(most)s") % {"least": bounds[0], "most": bounds[1]}
    return wrong


def _listed(question: Question) -> tuple[Question, dict[str, Any] | None, list[list[str]]]:
    """The question by its target's own name, how the hub knows that from reports, what guards it; or Problem: no."""
    if question.cmd in states.PROCESS_VERBS:
        return question, processes.check(question.server, question.cmd, question.target, question.args), []
    found = targets.find(question.server, question.target)
    service = _offered(question, found.service)
    if service is None:
        return question, None, found.protected
    return question._replace(target=service.name), settling.listed(service), found.protected


def service_of(question: Question) -> Service | None:
    """The service as listed; None where the agent lists none at all and so has to judge the target itself."""
    return _offered(question, targets.find(question.server, question.target).service)


def _offered(question: Question, service: Service | None) -> Service | None:
    if service is None and _target_is_sane(question) and _lists_nothing(question.server):
        return None
    if service is None:
        raise bad({"target": _("is no service that this server has reported")})
    for verb in leases.needed(question.cmd, question.args):
        if verb not in service.verbs:
            raise Problem(409, _why_not(question, service, verb))
    return service


def _why_not(question: Question, service: Service, verb: str) -> str:
    if verb in (service.can or ()):
        return verbs.not_allowed(question.server.agent_id, verb, question.target) + "."
    words = {"cmd": verb, "target": question.target}
    return _("The agent of this server does not offer to %(cmd)s %(target)s.") % words


def _target_is_sane(question: Question) -> bool:
    return 0 < len(question.target) <= TARGET_LENGTH and question.target.isprintable()


def _lists_nothing(server: Server) -> bool:
    return Newest.objects.filter(server=server, services_at__isnull=True).exists()


def _active(question: Question) -> Command | None:
    rows = Command.objects.filter(server=question.server, target=question.target, state__in=states.ACTIVE)
    command: Command | None = rows.first()
    return command


def _join(question: Question, active: Command) -> Asked:
    if (active.cmd, active.args) != (question.cmd, question.args):
        words = {"who": active.asked_by_name, "cmd": active.cmd, "since": f"{active.created_at:%H:%M:%S} UTC"}
        raise Problem(409, _("%(who)s asked to %(cmd)s it at %(since)s, and that is not over yet.") % words)
    with transaction.atomic():
        _write("command.joined", question, active)
    return Asked(active, joined=True)


def _queue(
    question: Question,
    listed: dict[str, Any] | None,
    deliver_within: int,
    execute_within: int,
    expect: dict[str, Any] | None,
) -> Command | None:
    """The new command, or None when another one on the service came first."""
    try:
        return lifecycle.queue(
            server=question.server,
            cmd=question.cmd,
            target=question.target,
            actor=question.actor,
            reason=question.reason,
            deliver_within=deliver_within,
            execute_within=execute_within,
            args=question.args,
            origin=question.origin,
            expect=expect,
            listed=listed,
        )
    except lifecycle.Busy:
        return None


def _deny(question: Question, why: str) -> None:
    with transaction.atomic():
        _write("command.denied", question, None, {"why": why, **({"args": question.args} if question.args else {})})


def _write(event: str, question: Question, command: Command | None, facts: dict[str, Any] | None = None) -> None:
    audit.write(
        event,
        actor=question.actor.name,
        user=question.actor.user,
        address=question.actor.address,
        server=question.server,
        command=command,
        cmd=question.cmd,
        target=question.target[:255].replace("\0", ""),
        reason=question.reason,
        facts=facts,
    )
