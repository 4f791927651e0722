"""How far samples were looked at."""

from __future__ import annotations

from django.db import models

from servers.models import Server


class Looked(models.Model):
    """The newest sample of a server that rules have looked at: each is looked at once, and in the order of time.

    By the sample's own time, not by when it was received: a report that is stored while a round runs commits after it,
    and would be passed over.
    """

    server = models.OneToOneField(Server, primary_key=True, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()

    class Meta:
        db_table = "alerts_looked"

    def __str__(self) -> str:
        return f"{self.server_id} up to {self.at:%H:%M:%S}"
