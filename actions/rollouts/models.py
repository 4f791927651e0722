"""Rollouts and their steps. Only moves.py changes one."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from actions.rollouts import states
from actions.rollouts.querysets import RolloutQuerySet
from servers.models import Server


class Rollout(models.Model):
    """One verb on one service of many servers, in batches."""

    cmd = models.CharField(_("verb"), max_length=20)
    target = models.CharField(_("target"), max_length=255)
    state = models.CharField(_("state"), max_length=10, default=states.RUNNING)
    reason = models.CharField(_("reason"), max_length=200)
    selection = models.JSONField(default=dict)  # what the servers were chosen by, in the API's words
    batch_size = models.CharField(max_length=8)  # "1", "4" or "25%"
    order = models.CharField(max_length=10)
    pause_sec = models.PositiveIntegerField(default=0)  # between two batches
    max_failures = models.PositiveIntegerField(default=1)  # it halts at this many
    silent = models.CharField(max_length=10, default=states.SKIP_SILENT)  # what a silent server means
    deliver_within_sec = models.PositiveIntegerField(default=60)
    # An address on each server that must answer well once its command has succeeded; empty: none.
    probe = models.CharField(max_length=200, blank=True, default="", db_default="")
    typed = models.CharField(max_length=255, blank=True)  # the name of a protected service, as its asker typed it
    execute_within_sec = models.PositiveIntegerField(default=120)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    asked_by_name = models.CharField(max_length=150)
    # Who set it going last (started, retried, resumed): its commands are theirs, and so are the rights they need.
    led_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    led_by_name = models.CharField(max_length=150)
    led_from = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField(_("started"))
    changed_at = models.DateTimeField()  # when it came into its state
    moves = models.PositiveIntegerField(default=0)  # changes of its state so far: which one a page has seen
    batch = models.PositiveIntegerField(default=0)  # the one at work, from 1
    next_at = models.DateTimeField(null=True)  # when the pause after that batch ends
    why = models.CharField(max_length=40, blank=True)  # a key of words.py: why it halted or ended
    facts = models.JSONField(default=dict)

    objects: ClassVar = RolloutQuerySet.as_manager()

    class Meta:
        verbose_name = _("rollout")
        verbose_name_plural = _("rollouts")
        ordering = ("-id",)
        indexes = [
            models.Index(
                fields=["state"], condition=models.Q(state__in=[states.RUNNING, states.HALTED]), name="rollout_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.cmd} {self.target}"


class RolloutStep(models.Model):
    """One server of a rollout, and the command that does it there."""

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="steps")
    server = models.ForeignKey(Server, on_delete=models.PROTECT, related_name="+")
    batch = models.PositiveIntegerField()  # from 1
    place = models.PositiveIntegerField()  # in the whole rollout, from 0
    state = models.CharField(max_length=10, default=states.TODO)
    command = models.ForeignKey("actions.Command", null=True, on_delete=models.PROTECT, related_name="+")
    joined = models.BooleanField(default=False)  # somebody else had asked for the same
    why = models.CharField(max_length=40, blank=True)  # a key of words.py: why it failed or was skipped
    facts = models.JSONField(default=dict)
    began_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    # While it is checking, the newest look, and until when there are more. Reads are kept for an hour only.
    probe_read = models.ForeignKey("actions.Read", null=True, on_delete=models.SET_NULL, related_name="+")
    probe_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ("place",)
        constraints = [models.UniqueConstraint(fields=["rollout", "server"], name="one_step_per_server")]
        indexes = [
            models.Index(fields=["rollout"], condition=models.Q(state__in=states.AT_WORK), name="rollout_step_at_work")
        ]

    def __str__(self) -> str:
        return f"{self.rollout_id}: {self.server_id} {self.state}"
