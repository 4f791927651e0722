"""What matters: rules, their standing, and incidents. Who is told is in notify/, when nobody is in quiet/."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from actions.models import Command
from actions.rollouts.models import Rollout
from alerts import states
from alerts.evaluate.models import Looked
from alerts.notify.models import Contact, Notification
from alerts.querysets import IncidentQuerySet, RuleQuerySet
from alerts.quiet.models import Silence
from servers.models import Server

__all__ = ["Contact", "Incident", "IncidentEntry", "Looked", "Notification", "Remedy", "Rule", "Silence", "Standing"]


class Rule(models.Model):
    """What is watched for, where, and what is done about it. Only rules/changes.py changes one."""

    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=30)  # a key of rules/kinds.py
    params = models.JSONField(default=dict, blank=True)  # what the kind needs besides: rules/kinds.py has the shapes
    limit = models.FloatField(_("limit"), null=True, blank=True)  # in the kind's unit; None where it has none
    clear_limit = models.FloatField(_("clear limit"), null=True, blank=True)  # None: the limit
    for_sec = models.PositiveIntegerField(_("for, seconds"), default=0)
    clear_for_sec = models.PositiveIntegerField(_("clear for, seconds"), default=0)
    k = models.PositiveSmallIntegerField(null=True, blank=True)  # breached in k of the last n samples; None: in each
    n = models.PositiveSmallIntegerField(null=True, blank=True)
    scope = models.CharField(_("applies to"), max_length=300, blank=True)  # a line of rules/scopes.py
    severity = models.CharField(_("severity"), max_length=10, choices=[(one, one) for one in states.SEVERITIES])
    enabled = models.BooleanField(_("enabled"), default=True)
    contacts: models.ManyToManyField[Contact, Contact] = models.ManyToManyField(
        Contact, blank=True, related_name="rules", verbose_name=_("notify")
    )
    escalate_after_sec = models.PositiveIntegerField(_("escalate after, seconds"), null=True, blank=True)
    escalate_to: models.ManyToManyField[Contact, Contact] = models.ManyToManyField(
        Contact, blank=True, related_name="escalations", verbose_name=_("escalate to")
    )
    # The remedy: a verb on a service, at most so often; see remedy/. An empty verb: none.
    remedy_cmd = models.CharField(max_length=20, blank=True)
    remedy_target = models.CharField(max_length=255, blank=True)  # empty: the service the incident is about
    remedy_most = models.PositiveSmallIntegerField(default=2)  # within:
    remedy_within_sec = models.PositiveIntegerField(default=3600)
    remedy_cooldown_sec = models.PositiveIntegerField(default=300)  # between two
    remedy_protected = models.BooleanField(default=False)  # protected services, too
    # In whose name its remedies are asked for; their rights are looked at each time, as with a schedule.
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    made_by_name = models.CharField(max_length=150, blank=True)  # empty: it came with the hub
    made_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)  # grows with each change of what it watches for
    evaluated_until = models.DateTimeField(null=True, blank=True)  # samples received up to then were looked at
    deleted_at = models.DateTimeField(null=True, blank=True)  # kept for its incidents

    objects: ClassVar = RuleQuerySet.as_manager()

    class Meta:
        verbose_name = _("alert rule")
        verbose_name_plural = _("alert rules")
        ordering = ("name",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name"], condition=models.Q(deleted_at=None), name="one_rule_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class Standing(models.Model):
    """What a rule has seen so far of one subject; there is a row while it is not simply well. See evaluate/."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="+")
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="+")
    subject = models.CharField(max_length=255, blank=True)  # a service, a mount; empty: the server itself
    version = models.PositiveIntegerField(default=1)  # of the rule; of another one, it begins anew
    phase = models.CharField(max_length=10)  # of evaluate/machine.py
    since = models.DateTimeField()  # the first sample that was over the limit
    at = models.DateTimeField()  # the last sample that was looked at
    clear_since = models.DateTimeField(null=True)  # the first sample below the clear limit
    recent = models.JSONField(default=list)  # of "k of n": whether each of the last samples was over
    value = models.FloatField(null=True)
    facts = models.JSONField(default=dict)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rule", "server", "subject"], name="one_standing_of_a_subject")
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.server_id} {self.subject} {self.phase}"


class Incident(models.Model):
    """A rule's open-to-close episode on one subject; without a server, of many at once. Only moves.py changes one."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)  # what pages and the API call it
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="incidents")
    rule_name = models.CharField(max_length=80)  # as it was then; kind and severity, too
    kind = models.CharField(max_length=30)
    severity = models.CharField(max_length=10)
    server = models.ForeignKey(Server, null=True, on_delete=models.CASCADE, related_name="incidents")
    subject = models.CharField(max_length=255, blank=True)
    whole = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="members"
    )  # one of many servers
    state = models.CharField(_("state"), max_length=12, default=states.OPEN)
    began_at = models.DateTimeField()  # the first sample that was over the limit
    opened_at = models.DateTimeField()  # the sample with which it opened
    recorded_at = models.DateTimeField()  # when the hub saw that
    closed_at = models.DateTimeField(null=True)
    close_reason = models.CharField(max_length=12, blank=True)
    value = models.FloatField(null=True)  # at opening, in the kind's unit
    worst = models.FloatField(null=True)
    facts = models.JSONField(default=dict)  # what its sentence names: {"limit": 90, "process": "postgres"}
    no_data_since = models.DateTimeField(null=True)  # it stays as it is while nothing is heard
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    acknowledged_by_name = models.CharField(max_length=150, blank=True)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="incidents"
    )
    snoozed_until = models.DateTimeField(null=True)  # nobody is told of it until then
    silence = models.ForeignKey(Silence, null=True, on_delete=models.SET_NULL, related_name="incidents")  # of now
    flapping = models.BooleanField(default=False)
    flapping_since = models.DateTimeField(null=True)  # the first of the openings that make it flap
    calm_since = models.DateTimeField(null=True)  # while it flaps: since when its subject is well
    reopened = models.PositiveIntegerField(default=0)  # how often it came back since flapping_since
    escalated_at = models.DateTimeField(null=True)
    capsule = models.JSONField(null=True)  # what was found around its opening; incidents/capsule.py
    capsule_due = models.DateTimeField(null=True)  # when to look, None: done

    objects: ClassVar = IncidentQuerySet.as_manager()

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        ordering = ("-id",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["rule", "server", "subject"],
                condition=models.Q(state__in=states.LIVE, server__isnull=False),
                name="one_live_incident_of_a_subject",
            ),
            models.UniqueConstraint(
                fields=["rule"],
                condition=models.Q(state__in=states.LIVE, server__isnull=True),
                name="one_live_incident_of_many_servers",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["server", "-opened_at"], name="incident_by_server"),  # server page, charts
            # the header's count, the list of open ones, the dashboard
            models.Index(fields=["-id"], condition=models.Q(state__in=states.LIVE), name="incident_live"),
            models.Index(fields=["-closed_at"], name="incident_by_end"),  # the closed ones' list
            models.Index(fields=["capsule_due"], condition=models.Q(capsule_due__isnull=False), name="capsule_due"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_name} {self.subject}".strip()


class IncidentEntry(models.Model):
    """A line of an incident's timeline; written with what it tells, never changed."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="entries")
    at = models.DateTimeField()
    kind = models.CharField(max_length=20)  # of states.ENTRIES
    actor = models.CharField(max_length=150, blank=True)  # empty: the hub
    text = models.CharField(max_length=2_000, blank=True)  # a comment
    facts = models.JSONField(default=dict)
    command = models.ForeignKey(Command, null=True, on_delete=models.SET_NULL, related_name="+")  # a remedy's

    class Meta:
        ordering = ("at", "id")
        indexes: ClassVar = [models.Index(fields=["incident", "at"], name="incident_timeline")]  # the incident's page

    def __str__(self) -> str:
        return f"{self.incident_id} {self.kind}"


class Remedy(models.Model):
    """One time that a rule acts, or would have; the rule's budget counts them. Only remedy/ makes and changes one."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="remedies")
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="remedies")
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="+")
    target = models.CharField(max_length=255)
    at = models.DateTimeField()  # when it was asked for, or decided otherwise; until then, when it was noted
    due_at = models.DateTimeField(null=True)  # when to decide, None: done
    command = models.ForeignKey(Command, null=True, on_delete=models.SET_NULL, related_name="+")
    rollout = models.ForeignKey(Rollout, null=True, on_delete=models.SET_NULL, related_name="+")
    joined = models.BooleanField(default=False)  # somebody had asked for the same: it is theirs, and costs nothing
    outcome = models.CharField(max_length=20, blank=True)  # of remedy/outcomes.py; empty: to decide, or not ended
    why = models.CharField(max_length=400, blank=True)  # of a refusal

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["rule", "server", "target", "at"], name="remedy_budget"),
            # the worker's steps: what is to decide, and what has not ended
            models.Index(fields=["due_at"], condition=models.Q(outcome=""), name="remedy_open"),
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.target}"
