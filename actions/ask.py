"""What is checked before a command is queued; a form and the API ask through the same door."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from actions import audit, lifecycle, settling, states
from actions.models import Command
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


def ask(
    user: Any,
    server: Server,
    cmd: str,
    target: str,
    *,
    reason: str = "",
    deliver_within: int = 60,
    execute_within: int = 120,
    expect: dict[str, Any] | None = None,
    address: str | None = None,
) -> Asked:
    """Queue a command, or join the same one; times in seconds. The caller has checked role and scope.

    Raises Problem: 400 naming wrong fields, 409 when the service cannot be told so now. A denial is in the audit trail.
    """
    if wrong := wrong_fields(cmd, reason, deliver_within, execute_within):
        raise bad(wrong)
    question = Question(lifecycle.Actor(audit.name_of(user), user, address or None), server, cmd, target, reason)
    try:
        return _queue_or_join(question, deliver_within, execute_within, expect)
    except Problem as problem:
        _deny(question, problem.sentence)
        raise


def _queue_or_join(
    question: Question, deliver_within: int, execute_within: int, expect: dict[str, Any] | None
) -> Asked:
    service = _service(question)
    for _attempt in range(ATTEMPTS):
        if active := _active(question):
            return _join(question, active)
        if command := _queue(question, service, deliver_within, execute_within, expect):
            return Asked(command, joined=False)
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


def _service(question: Question) -> Service | None:
    """The service as listed; None where the agent lists none at all and so has to judge the target itself."""
    services = Service.objects.filter(server=question.server, name=question.target.replace("\0", ""))
    service: Service | None = services.first()
    if service is None and _target_is_sane(question) and _lists_nothing(question.server):
        return None
    if service is None:
        raise bad({"target": _("is no service that this server has reported")})
    if question.cmd not in service.verbs:
        words = {"cmd": question.cmd, "target": question.target}
        raise Problem(409, _("The agent of this server does not offer to %(cmd)s %(target)s.") % words)
    return service


def _target_is_sane(question: Question) -> bool:
    return 0 < len(question.target) <= TARGET_LENGTH and question.target.isprintable()


def _lists_nothing(server: Server) -> bool:
    return Newest.objects.filter(server=server, services_at__isnull=True).exists()


def _active(question: Question) -> Command | None:
    rows = Command.objects.filter(server=question.server, target=question.target, state__in=states.ACTIVE)
    command: Command | None = rows.first()
    return command


def _join(question: Question, active: Command) -> Asked:
    if active.cmd != question.cmd:
        words = {"who": active.asked_by_name, "cmd": active.cmd, "since": f"{active.created_at:%H:%M:%S} UTC"}
        raise Problem(409, _("%(who)s asked to %(cmd)s it at %(since)s, and that is not over yet.") % words)
    with transaction.atomic():
        _write("command.joined", question, active)
    return Asked(active, joined=True)


def _queue(
    question: Question,
    service: Service | None,
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
            expect=expect,
            listed=settling.listed(service) if service else None,
        )
    except IntegrityError as error:
        if "one_active_command_per_service" not in str(error):
            raise
        return None


def _deny(question: Question, why: str) -> None:
    with transaction.atomic():
        _write("command.denied", question, None, {"why": why})


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
