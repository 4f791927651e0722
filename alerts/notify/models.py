"""Who is told of incidents, and each time somebody was."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from alerts import states

EMAIL, SLACK, WEBHOOK, APPRISE = "email", "slack", "webhook", "apprise"
KINDS = (EMAIL, SLACK, WEBHOOK, APPRISE)
QUEUED, SENDING, SENT, FAILED, DROPPED = "queued", "sending", "sent", "failed", "dropped"
ON_THE_WAY = (QUEUED, SENDING, SENT)
OPENED, CLOSED, ESCALATION, SUMMARY, TEST = "opened", "closed", "escalation", "summary", "test"


class Contact(models.Model):
    """Where notices go. Only notify/contacts.py changes one."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=[(kind, kind) for kind in KINDS])
    address = models.CharField(
        _("address"), max_length=1_000
    )  # an e-mail address, a URL; may hold secrets: never shown whole
    secret = models.CharField(max_length=100, blank=True)  # a webhook's, to sign with; shown once
    severity = models.CharField(
        _("from severity"), max_length=10, default=states.WARNING, choices=[(one, one) for one in states.SEVERITIES]
    )
    hours = models.JSONField(
        _("hours"), default=dict, blank=True
    )  # {"days": [0…6], "from": "08:00", "to": "18:00", "zone": …}; empty: always
    language = models.CharField(_("language"), max_length=5, default="en")
    allow_internal = models.BooleanField(_("internal addresses"), default=False)
    enabled = models.BooleanField(_("enabled"), default=True)
    broken_at = models.DateTimeField(null=True, blank=True)  # since when nothing gets there, for good
    broken_why = models.CharField(max_length=400, blank=True)  # of words.WHY
    made_by_name = models.CharField(max_length=150, blank=True)
    made_at = models.DateTimeField()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Notification(models.Model):
    """One notice to one contact: there before it is sent, and its outcome after. Only notify/ changes one."""

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="notifications")
    incident = models.ForeignKey(
        "alerts.Incident", null=True, on_delete=models.CASCADE, related_name="notifications"
    )  # None: a summary, a test
    summary = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="notices"
    )  # the one that tells it, with many others; it is not sent by itself
    event = models.CharField(max_length=12)
    state = models.CharField(max_length=10, default=QUEUED)
    made_at = models.DateTimeField()
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=400, blank=True)  # of words.WHY, "word" or "word:detail"
    # of a summary: how many of what; {"absence": …}: see throttle.py; {"failed": …}: see words.py
    facts = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ("-id",)
        indexes: ClassVar = [
            # the sending step
            models.Index(fields=["due_at"], condition=models.Q(state__in=[QUEUED, SENDING]), name="notification_due"),
            models.Index(fields=["contact", "-id"], name="notification_by_contact"),  # throttle, the contact's page
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.contact_id}"
