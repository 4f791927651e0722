"""What previews of disks, clocks and agents tell besides what those of readings do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from alerts.rules import kinds, preview, wanted
from alerts.rules.wanted import Wanted
from servers import history, partitions, states
from servers.models import Server
from tests.actions.pages import text
from tests.alerts.reporting import MINUTE, recently, report
from tests.alerts.rules.filled import LIST, limit_shown, typed
from tests.cast import program_of

pytestmark = pytest.mark.django_db
PREVIEW, API = f"{LIST}preview/", "/api/alerts/rules/preview"
DISK = """INSERT INTO servers_diskusage SELECT %(server)s, %(mount)s, at, 10 * least(%(least)s + floor(
    extract(epoch FROM at - %(start)s) / 3600), 99), 1000
    FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz, interval '5 minutes') at"""
WEB = "group:web"
HOUR = timedelta(hours=1)


def usual(kind: str) -> Wanted:
    return wanted.usual(kind)._replace(name="New", scope=WEB)


@pytest.fixture
def days(web1: Server) -> datetime:
    """Two days in which the first filesystem fills by a percent an hour, and the second does not."""
    end = timezone.now()
    start = end - timedelta(hours=40)
    partitions.make(history.LEVELS[history.DISKS], start, end)
    with connection.cursor() as cursor:
        for mount, least in (("/", 55), ("/boot", 10)):
            about: dict[str, Any] = {"server": web1.pk, "mount": mount, "least": least, "start": start, "end": end}
            cursor.execute(DISK, about)
    return start


def test_of_disks_the_worst_filesystem_is_drawn(as_operator: Client, web1: Server, days: datetime) -> None:
    shown = text(as_operator.get(PREVIEW, typed(usual(kinds.DISK_USED))))
    assert "Would have fired 1 time in the last 7 days" in shown
    assert '<path class="limit" d="M0 13.6H1000"/>' in shown  # 90 of 100
    assert limit_shown(shown) == "90%"
    assert f"{web1.hostname} <bdi>/</bdi>" in shown
    (drawn,) = [part.split('"')[0] for part in shown.split('<path class="a" d="')[1:]]
    begins, ends = (float(point.split(" ")[1]) for point in (drawn.split("L")[1], drawn.split("L")[-2]))
    assert begins == pytest.approx(100 - 0.96 * 55)
    assert ends == pytest.approx(100 - 0.96 * 95, abs=1)


def test_only_the_drawn_filesystems_episodes_are_marked_and_its_name_is_text(
    as_operator: Client, web1: Server, days: datetime
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE servers_diskusage SET mount = '/<b>' WHERE mount = '/'")
        cursor.execute("UPDATE servers_diskusage SET used_mb = 990 WHERE mount = '/boot' AND at < %s", [days + HOUR])
    shown = text(as_operator.get(PREVIEW, typed(usual(kinds.DISK_USED))))
    assert "Would have fired 2 times" in shown
    assert shown.count('class="fired"') == 1
    assert "<bdi>/&lt;b&gt;</bdi>" in shown


def test_of_filling_disks_only_episodes_are_drawn(as_operator: Client, days: datetime) -> None:
    shown = text(as_operator.get(PREVIEW, typed(usual(kinds.DISK_FILLING)._replace(limit=12))))
    assert "Would have fired" in shown
    assert 'class="fired"' in shown
    assert 'class="limit"' not in shown


def test_of_kinds_that_take_longer_fewer_servers_are_looked_at(
    as_operator: Client, web1: Server, web2: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(preview.MOST_OF, kinds.DISK_FILLING, 1)
    assert "The first 1 of 2 servers were looked at." in text(
        as_operator.get(PREVIEW, typed(usual(kinds.DISK_FILLING)))
    )
    assert "were looked at" not in text(as_operator.get(PREVIEW, typed(usual(kinds.DISK_USED))))


def test_of_clocks_it_says_since_when_history_keeps_them(as_operator: Client, operator: User, web1: Server) -> None:
    start = recently()
    for place in range(50):
        report({web1: 5}, start + place * MINUTE / 6, ahead=9)
    shown = text(as_operator.get(PREVIEW, typed(usual(kinds.SKEW)._replace(for_sec=60))))
    assert "Would have fired 1 time" in shown
    assert "History keeps this from" in shown
    body = {"kind": "clock_skew", "limit": 5, "forSec": 60, "scope": WEB}
    said = program_of(operator).post(API, body, "application/json").json()
    kept = timezone.now() - datetime.fromisoformat(said["historyFrom"])
    assert timedelta(hours=48) <= kept <= timedelta(hours=48, minutes=1)
    assert (said["fired"], said["now"]) == (1, None)


def test_what_history_does_not_keep_is_told_as_of_now(
    as_operator: Client, operator: User, web1: Server, web2: Server, db1: Server
) -> None:
    report({web1: 5, db1: 5}, recently(MINUTE), version="0.0.1")
    report({web2: 5}, recently(MINUTE), version="999.0.0")
    shown = text(as_operator.get(PREVIEW, typed(usual(kinds.OUTDATED))))
    assert "History does not keep this." in shown
    assert "Now it would hold on 1 of 2 servers." in shown
    said = program_of(operator).post(API, {"kind": "agent_outdated", "scope": WEB}, "application/json").json()
    assert said["now"] == {"servers": 1, "heard": 2, "agents": [web1.agent_id]}
    told: dict[str, Any] = {name: said[name] for name in ("episodes", "fired", "servers", "actions", "matching")}
    assert told == {"episodes": None, "fired": None, "servers": None, "actions": None, "matching": 2}


def test_silent_servers_are_not_counted_among_those_it_would_hold_on(
    as_operator: Client, web1: Server, web2: Server
) -> None:
    report({web1: 5, web2: 5}, recently(MINUTE), version="0.0.1")
    Server.objects.filter(pk=web2.pk).update(state=states.SILENT)
    assert "Now it would hold on 1 of 1 server." in text(as_operator.get(PREVIEW, typed(usual(kinds.OUTDATED))))


def test_of_processes_nothing_is_said_of_now(as_operator: Client, operator: User, web1: Server) -> None:
    body = {"kind": "process_missing", "params": {"by": "service", "pattern": "nginx"}, "limit": 1, "scope": WEB}
    said = program_of(operator).post(API, body, "application/json").json()
    assert said["now"] is None
