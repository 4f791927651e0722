"""`manage.py history` says what the past takes."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from servers import compaction, history, history_size, partitions
from servers.models import Server
from tests.servers.samples import minute_of, store

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_empty_history")]
PAST = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)


@pytest.fixture
def _empty_history() -> None:
    """These tables are no models', so what transactional tests left in them is still there."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(history.LEVELS)}")


def said() -> str:
    out = StringIO()
    call_command("history", stdout=out)
    return out.getvalue()


def test_with_nothing_stored_it_says_so() -> None:
    assert "process-samples, raw: no samples yet" in said()


def test_every_level_has_its_line_and_samples_their_bytes(web1: Server, web2: Server) -> None:
    for number, procs in enumerate(minute_of(1)):
        for server in (web1, web2):
            store(server, PAST + timedelta(seconds=10 * number), procs)
    partitions.make(history.LEVELS[history.CHUNKS], PAST, PAST)
    assert compaction.compact_hour(web1.pk, PAST, timezone.now()) == 6
    text = said()
    for table in history.LEVELS:
        assert f"\n{table} " in text
    assert f"{PAST:%Y-%m-%d %H:%M}" in text
    costs = history_size.process_samples()
    assert [cost and cost.samples for cost in costs.values()] == [30, 30]
    assert all(cost and cost.bytes > 0 for cost in costs.values())
    assert "hours to compact: 1;" in text


def test_a_level_grows_to_what_its_lifetime_holds(web1: Server) -> None:
    for minutes in (0, 60):
        store(web1, PAST + timedelta(minutes=minutes), [])
    (size,) = (size for size in history_size.sizes() if size.table == history.HOST_READINGS)
    assert size.rows == 2
    assert size.bytes_a_day == pytest.approx(24 * size.bytes)
    assert size.when_full == pytest.approx(48 * size.bytes)
