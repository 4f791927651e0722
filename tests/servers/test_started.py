"""What the server page says of processes that started between two samples."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.test import Client
from django.utils import timezone

from servers import ingest, states
from servers.models import Server
from servers.wire import Report
from tests.servers.reports import report

pytestmark = pytest.mark.django_db


def page(client: Client, server: Server, ts: float = 1, **load: Any) -> str:
    """The page after a report with this in its load."""
    server.refresh_from_db()
    ingest.store(server, msgspec.convert(report(ts=ts, load=load), Report), timezone.now())
    return client.get(f"/servers/{server.agent_id}/").content.decode()


def test_it_tells_how_many_started_and_how_many_of_them_are_seen(as_viewer: Client, web1: Server) -> None:
    shown = page(as_viewer, web1, forks=1238, newProcs=5)
    assert "1,238 processes and threads started since the last sample, 5 of them seen here" in shown
    assert "1 process or thread started since the last sample, 0 seen here" in page(
        as_viewer, web1, ts=2, forks=1, newProcs=0
    )


@pytest.mark.parametrize("load", [{}, {"forks": None, "newProcs": None}, {"forks": 3}])
def test_it_says_nothing_where_the_agent_does_not(as_viewer: Client, web1: Server, load: dict[str, Any]) -> None:
    shown = page(as_viewer, web1, **load)
    assert '<small id="proc-started" hidden></small>' in shown


def test_of_a_silent_server_it_is_no_news(as_viewer: Client, web1: Server) -> None:
    page(as_viewer, web1, forks=38, newProcs=5)
    then = timezone.now() - timedelta(minutes=5)
    Server.objects.filter(pk=web1.pk).update(state=states.SILENT, state_since=then)
    assert '<small id="proc-started" hidden></small>' in as_viewer.get("/servers/srv-web-01/").content.decode()


@pytest.mark.parametrize("field", ["forks", "newProcs"])
def test_a_number_below_zero_is_named(field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=field):
        msgspec.convert(report(load={field: -1}), Report)
