"""Commands and the audit trail."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from actions import protected, states
from actions.querysets import AuditQuerySet, CommandQuerySet, LeaseQuerySet, ReadQuerySet
from actions.rollouts.models import Rollout
from actions.schedules.models import Schedule
from servers.models import Server


class Command(models.Model):
    """One asked-for action on one server, with its states and evidence. Only lifecycle.py changes one."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # what agents and the API call it
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="commands")
    cmd = models.CharField(_("verb"), max_length=20)
    target = models.CharField(_("target"), max_length=255)
    state = models.CharField(_("state"), max_length=10, default=states.QUEUED)
    reason = models.CharField(_("reason"), max_length=200, blank=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    asked_by_name = models.CharField(max_length=150)
    asked_from = models.GenericIPAddressField(null=True)
    rollout = models.ForeignKey(Rollout, null=True, on_delete=models.PROTECT, related_name="commands")  # made by it
    schedule = models.ForeignKey(Schedule, null=True, on_delete=models.PROTECT, related_name="commands")  # given by it
    args = models.JSONField(default=dict, db_default={})  # what the verb needs besides its target; see arguments.py
    expect = models.JSONField(null=True)  # {"mainPid", "startTicks"} as the operator saw the service
    created_at = models.DateTimeField(_("asked"))
    deliver_by = models.DateTimeField()
    execute_within_sec = models.PositiveIntegerField(default=120)
    delivered_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    deliveries = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(null=True)
    execute_by = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    verdict = models.CharField(max_length=40, blank=True)  # a key of verdicts.py: why it ended so
    facts = models.JSONField(default=dict)  # what the verdict's sentence names: {"mainPid": 88213, "heldSec": 5}
    evidence = models.JSONField(default=dict)  # the agent's result as it came: before, after, output, log, exitCode…

    objects: ClassVar = CommandQuerySet.as_manager()

    class Meta:
        verbose_name = _("command")
        verbose_name_plural = _("commands")
        ordering = ("-id",)
        constraints = [
            models.UniqueConstraint(
                fields=["server", "target"],
                condition=models.Q(state__in=states.ACTIVE),
                name="one_active_command_per_service",
            )
        ]
        indexes = [
            models.Index(fields=["server", "-id"], name="command_by_server"),  # the server page, the API's list
            # the agent's queue and the worker's deadline steps
            models.Index(
                fields=["server", "state"],
                condition=models.Q(state__in=[*states.ACTIVE, states.UNKNOWN]),
                name="command_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.cmd} {self.target}"


class ProtectedUnit(models.Model):
    """Services whose stop or restart may cut people off: whoever asks for one types its name and says why."""

    pattern = models.CharField(_("pattern"), max_length=255, unique=True)  # as in a shell: postgresql*.service
    kind = models.CharField(_("what it is"), max_length=20, choices=protected.CHOICES, default=protected.OTHER)

    class Meta:
        verbose_name = _("protected service")
        verbose_name_plural = _("protected services")
        ordering = ("pattern",)

    def __str__(self) -> str:
        return self.pattern


class Read(models.Model):
    """One question to a server's agent that changes nothing there; kept for an hour. Only reads.py changes one."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # what the agent calls it
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)  # a key of reads.KINDS
    target = models.CharField(max_length=255)
    args = models.JSONField(default=dict)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    asked_from = models.GenericIPAddressField(null=True)
    asked_at = models.DateTimeField()
    answer_by = models.DateTimeField()
    given_at = models.DateTimeField(null=True)  # to the agent, once
    answered_at = models.DateTimeField(null=True)
    verdict = models.CharField(max_length=10, blank=True)  # empty while it is open; else of reads.py: how it ended
    answer = models.JSONField(null=True)
    error = models.CharField(max_length=1_000, blank=True)  # the agent's own words for why there is no answer

    objects: ClassVar = ReadQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["server", "id"], condition=models.Q(verdict=""), name="read_open"),  # queue
            models.Index(fields=["asked_at"], name="read_by_time"),  # the worker drops old ones
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"


class Lease(models.Model):
    """A service that is stopped for a time: its agent holds it and starts it again. Only leases.py changes one."""

    command = models.OneToOneField(Command, on_delete=models.PROTECT, related_name="lease")  # the stop
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="leases")
    target = models.CharField(max_length=255)
    state = models.CharField(max_length=10, default=states.HELD)
    until = models.DateTimeField()  # by the hub's clock, as its agent last told it
    told_at = models.DateTimeField(null=True)  # the newest sample that had it open
    overdue_at = models.DateTimeField(null=True)  # when the hub noticed that its end had passed untold
    ended_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)  # to start it
    reason = models.TextField(blank=True)  # the agent's: why the last one failed
    verdict = models.CharField(max_length=40, blank=True)  # a key of verdicts.py: what proves that it was started
    facts = models.JSONField(default=dict)
    evidence = models.JSONField(default=dict)  # before, after, output, log

    objects: ClassVar = LeaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("stop for a time")
        verbose_name_plural = _("stops for a time")
        ordering = ("until", "id")
        indexes = [
            # the services' rows, the dashboard, reports, the worker's step
            models.Index(fields=["server"], condition=models.Q(state__in=states.LEASE_OPEN), name="lease_open"),
            models.Index(fields=["server", "target", "-id"], name="lease_by_service"),  # the last one of a service
        ]

    def __str__(self) -> str:
        return f"{self.target} until {self.until:%H:%M:%S}"


class AuditEntry(models.Model):
    """One thing that happened on a control path; written in its transaction, never changed, never deleted."""

    at = models.DateTimeField()
    event = models.CharField(max_length=40)  # command.queued, command.running, command.joined, command.denied …
    actor = models.CharField(max_length=150)  # a user's name, "agent srv-1", or "hub"
    actor_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
    )
    address = models.GenericIPAddressField(null=True)
    server = models.ForeignKey(Server, null=True, on_delete=models.PROTECT, related_name="+")
    command = models.ForeignKey(Command, null=True, on_delete=models.PROTECT, related_name="moves")
    rollout = models.ForeignKey(Rollout, null=True, on_delete=models.PROTECT, related_name="audit")
    schedule = models.ForeignKey(Schedule, null=True, on_delete=models.PROTECT, related_name="audit")
    cmd = models.CharField(max_length=20, blank=True)
    target = models.CharField(max_length=255, blank=True)
    from_state = models.CharField(max_length=10, blank=True)
    to_state = models.CharField(max_length=10, blank=True)
    reason = models.CharField(max_length=400, blank=True)
    facts = models.JSONField(default=dict)

    objects: ClassVar = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit trail")
        ordering = ("-id",)
        indexes = [
            models.Index(fields=["command", "id"], name="audit_by_command"),  # a command's moves
            models.Index(fields=["server", "-id"], name="audit_by_server"),  # the audit page, filtered by server
            models.Index(fields=["-at"], name="audit_by_time"),  # the audit page, from-to
        ]
        triggers = [
            pgtrigger.Trigger(
                name="append_only",
                level=pgtrigger.Statement,  # TRUNCATE has no rows to fire for
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete | pgtrigger.Truncate,
                func="RAISE EXCEPTION 'the audit trail is append-only: % refused', TG_OP;",
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.cmd} {self.target}"
