"""How full filesystems are: kept as reported, and shown on the server page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from servers import disks_panel, ingest
from servers.models import Newest, Server
from servers.wire import Report
from tests.servers.doors import Door, door
from tests.servers.reports import post, report

__all__ = ["door"]
pytestmark = pytest.mark.django_db
SLOT = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)  # five minutes begin here
HOSTILE = "/<b>x\u202e"


def disk(mount: str = "/", used: float = 512.0, total: float = 1024.0) -> dict[str, Any]:
    return {"mount": mount, "device": "/dev/sda1", "fs": "ext4", "usedMB": used, "totalMB": total}


def told(server: Server, seconds: float, *disks: dict[str, Any], sent: float | None = None) -> None:
    """Store a report sampled so many seconds after SLOT; sent: received then."""
    sampled, received = (SLOT + timedelta(seconds=each) for each in (seconds, seconds if sent is None else sent))
    times = {"ts": sampled.timestamp(), "sentAt": received.timestamp()}
    body = report(agentId=server.agent_id, disks=list(disks), **times)
    ingest.store(server, msgspec.convert(body, Report), received)


def without(server: Server, seconds: float) -> None:
    """The same of a report that says nothing of disks."""
    at = SLOT + timedelta(seconds=seconds)
    ingest.store(server, msgspec.convert(report(agentId=server.agent_id, ts=at.timestamp()), Report), at)


def rows() -> list[tuple[str, float, float]]:
    """What history has: mount, seconds after SLOT, MB used."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT mount, at, used_mb FROM servers_diskusage WHERE at >= %s ORDER BY 2, 1", [SLOT])
        return [(mount, (at - SLOT).total_seconds(), used) for mount, at, used in cursor.fetchall()]


def test_both_doors_keep_them(door: Door, agent_token: str) -> None:
    assert post(door(agent_token), report(disks=[disk(), disk("/data")])).status_code == 202
    newest = Newest.objects.get()
    assert newest.disks == [disk(), disk("/data")]
    assert newest.disks_at == newest.sampled_at


@pytest.mark.parametrize(
    "wrong", [disk(""), disk("/", -1), {"mount": "/"}, disk("x" * 256), "no list", [disk(str(n)) for n in range(51)]]
)
def test_wrong_ones_are_refused_and_named(door: Door, agent_token: str, wrong: Any) -> None:
    answer = post(door(agent_token), report(disks=[wrong] if isinstance(wrong, dict) else wrong))
    assert answer.status_code == 400
    assert "disks" in answer.content.decode()
    assert not Newest.objects.exists()


def test_of_five_minutes_the_first_is_kept_and_the_newest_is_shown(web1: Server) -> None:
    for seconds in (1, 61, 299, 300, 361):
        told(web1, seconds, disk(used=seconds))
    assert rows() == [("/", 1, 1), ("/", 300, 300)]
    assert (Newest.objects.get().disks or [])[0]["usedMB"] == 361


def test_a_late_one_fills_a_gap_and_is_not_the_newest(web1: Server) -> None:
    told(web1, 700, disk(used=700))
    told(web1, 100, disk(used=100), sent=710)
    told(web1, 650, disk(used=650), sent=720)  # its five minutes are told already
    assert rows() == [("/", 100, 100), ("/", 700, 700)]
    assert (Newest.objects.get().disks or [])[0]["usedMB"] == 700


def test_a_report_without_them_leaves_them(web1: Server) -> None:
    told(web1, 0, disk())
    ingest.store(web1, msgspec.convert(report(ts=5.0), Report), SLOT + timedelta(seconds=60))
    newest = Newest.objects.get()
    assert (newest.disks, newest.disks_at) == ([disk()], SLOT)


def test_a_mount_that_is_told_twice_is_kept_once(web1: Server) -> None:
    told(web1, 0, disk(), disk())
    assert rows() == [("/", 0, 512)]


class TestPanel:
    """The panel of the server page."""

    def test_it_is_hidden_where_nothing_is_told(self, web1: Server, as_viewer: Client) -> None:
        page = as_viewer.get(f"/servers/{web1.agent_id}/").content.decode()
        assert '<section id="srv-disks" hidden></section>' in page

    def test_each_disk_has_its_line(self, web1: Server, as_viewer: Client) -> None:
        told(web1, 0, disk(), disk("/data", 3.6 * 2**20, 4 * 2**20), disk("/boot", 999, 1000), disk("/none", 0, 0))
        page = as_viewer.get(f"/servers/{web1.agent_id}/").content.decode()
        panel = page.partition('id="srv-disks"')[2].partition("</section>")[0]
        heads = [row.partition("</bdi>")[0].rpartition(">")[2] for row in panel.split('<tr><th scope="row">')[1:]]
        assert heads == ["/", "/data", "/boot", "/none"]
        for said in ("512 MB of 1.0 GB", "3.6 TB of 4.0 TB", 'data-level="high"', 'data-level="full"', ">50<", ">99<"):
            assert said in panel

    def test_what_is_hostile_is_shown_as_text(self, web1: Server) -> None:
        told(web1, 0, disk(HOSTILE))
        panel = disks_panel.panel(Newest.objects.get())
        assert "<b>" not in panel
        assert "\u202e" not in panel

    def test_the_past_shows_no_disks_of_now(self, web1: Server, as_viewer: Client) -> None:
        told(web1, 0, disk())
        page = as_viewer.get(f"/servers/{web1.agent_id}/", {"at": SLOT.isoformat()}).content.decode()
        assert "srv-disks" not in page


def test_the_api_tells_them_as_last_measured(as_viewer: Client, web1: Server) -> None:
    told(web1, 10, disk(), disk("/data", used=0.5))
    without(web1, 20)
    answer = as_viewer.get(f"/api/servers/{web1.agent_id}").json()
    assert answer["disks"] == [disk(), disk("/data", used=0.5)]
    assert answer["disksAt"] == (SLOT + timedelta(seconds=10)).isoformat().replace("+00:00", "Z")


def test_the_api_tells_none_of_an_agent_that_does_not(as_viewer: Client, web1: Server) -> None:
    without(web1, 10)
    answer = as_viewer.get(f"/api/servers/{web1.agent_id}").json()
    assert (answer["disks"], answer["disksAt"]) == ([], None)
