"""The frame's own rows: users' API tokens, and what the worker last did."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ApiToken(models.Model):
    """A user's token for programs: only a keyed hash is kept. See tokens.py."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(_("name"), max_length=80, blank=True)
    prefix = models.CharField(max_length=12, unique=True)
    hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")

    def __str__(self) -> str:
        return f"{self.user} {self.prefix}…"


class StepRun(models.Model):
    """When a worker step last ran and how it ended; /readyz and /metrics read it."""

    name = models.CharField(primary_key=True, max_length=80)
    ran_at = models.DateTimeField()
    seconds = models.FloatField()
    error = models.TextField(blank=True)

    class Meta:
        verbose_name = _("worker step")
        verbose_name_plural = _("worker steps")

    def __str__(self) -> str:
        return self.name

    @staticmethod
    def name_of(step: Callable[[], object]) -> str:
        """A step's name here, in logs, /readyz and /metrics."""
        return f"{step.__module__}.{step.__name__}"
