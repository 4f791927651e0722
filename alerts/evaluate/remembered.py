"""What rules on restarting processes remember between two samples."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from servers.models import Server


class Succession(models.Model):
    """The processes a rule last saw on a server, and when others took their place. Only succession.py changes one."""

    rule = models.ForeignKey("alerts.Rule", on_delete=models.CASCADE, related_name="+")
    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="+")
    version = models.PositiveIntegerField()  # of the rule
    at = models.DateTimeField()  # the sample that they were last others in
    boot = models.CharField(max_length=80, blank=True)
    there = models.JSONField(default=list)  # [pid, start ticks or null] of each
    mark = models.BigIntegerField()  # of `there`; while it stays, so did that
    newest = models.BigIntegerField(default=-1)  # the highest start ticks seen: who began before is no newcomer
    vacant = models.PositiveIntegerField(default=0)  # how many went, and nobody has come in their place yet
    replaced = models.JSONField(default=list)  # when, in seconds since 1970; the newest so many of the window

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["rule", "server"], name="one_succession_of_a_rule")]

    def __str__(self) -> str:
        return f"{self.rule_id} {self.server_id}"
