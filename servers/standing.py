"""How a server stands: silent, waiting for its first report, or up, and of those that are up what troubles them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.db import models
from django.utils.translation import pgettext_lazy

from servers import states

CRITICAL, WARNING = "critical", "warning"
SHOWN = {  # how it stands: its glyph and data-state, its word
    states.UP: ("up", pgettext_lazy("server", "Up")),
    WARNING: ("warning", pgettext_lazy("server", "Warning")),
    CRITICAL: ("critical", pgettext_lazy("server", "Critical")),
    states.SILENT: ("silent", pgettext_lazy("server", "Silent")),
    states.WAITING: ("queued", pgettext_lazy("server", "Waiting")),
}
RANKS = {CRITICAL: 4, states.SILENT: 3, WARNING: 2, states.WAITING: 1, states.UP: 0}  # what needs a person is largest
ATTENTION = tuple(name for name, rank in RANKS.items() if rank)

# CRITICAL, WARNING -> the ids of the servers that are in that trouble. An app adds its own in AppConfig.ready, the
# worst first. They stand in no relation to the row that is looked at, so that the database finds them once for a list.
TROUBLES: dict[str, Callable[[], models.QuerySet[Any, Any]]] = {}


def standing() -> models.Case:
    """An annotation for servers: one of SHOWN's keys."""
    return _case({name: name for name in SHOWN}, models.CharField())


def rank() -> models.Case:
    """An annotation for servers: the number of RANKS."""
    return _case(RANKS, models.IntegerField())


def of(server: Any) -> str:
    """How a server stands that was fetched with `standing`; without it, its state alone."""
    found: str = getattr(server, "standing", server.state)
    return found


def _case(values: Mapping[str, str | int], kind: models.Field[Any, Any]) -> models.Case:
    """A silent server is silent first of all: nothing else is known of it."""
    by_state = [models.When(state=one, then=models.Value(values[one])) for one in (states.SILENT, states.WAITING)]
    troubled = [models.When(pk__in=ids(), then=models.Value(values[name])) for name, ids in TROUBLES.items()]
    return models.Case(*by_state, *troubled, default=models.Value(values[states.UP]), output_field=kind)
