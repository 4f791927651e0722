"""What the agent tells of its filesystems: this machine's own, and made-up ones."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from agent import disks
from tests.agent.conftest import eventually

TEXTS = {"device": "/dev/sda1", "fstype": "ext4", "opts": ""}


@pytest.fixture
def mounted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What psutil tells is mounted; of each the device is told by its number at the end, and it is half full."""
    parts: list[Any] = []
    monkeypatch.setattr("psutil.disk_partitions", lambda all: parts)
    made = {"st_mode": os.stat("/").st_mode, "st_dev": 0}
    blocks = SimpleNamespace(f_blocks=2000, f_bfree=1000, f_bavail=500, f_frsize=2**20)
    monkeypatch.setattr(os, "stat", lambda path: SimpleNamespace(**made | {"st_dev": path.rpartition("#")[2]}))
    monkeypatch.setattr(os, "statvfs", lambda path: blocks)
    return parts


def part(mount: str, **facts: str) -> SimpleNamespace:
    return SimpleNamespace(mountpoint=mount, **TEXTS | facts)


def test_it_tells_of_this_machine_what_df_tells() -> None:
    told = {one["mount"]: one for one in disks.measure()}
    for mount, one in told.items():
        df = subprocess.run(["df", "-B1", "--output=used,avail", mount], capture_output=True, text=True, check=True)
        used, left = map(int, df.stdout.split()[-2:])
        assert one["usedMB"] == pytest.approx(used / 2**20, abs=200)  # others write meanwhile
        assert one["totalMB"] == pytest.approx((used + left) / 2**20, abs=2)


def test_what_root_keeps_for_itself_is_not_there_for_others(mounted: list[Any]) -> None:
    mounted.append(part("/"))
    (one,) = disks.measure()
    assert one == {"mount": "/", "device": "/dev/sda1", "fs": "ext4", "usedMB": 1000.0, "totalMB": 1500.0}


def test_each_filesystem_is_told_once_by_its_shortest_mount(mounted: list[Any]) -> None:
    mounted += [part("/var/lib/data#1"), part("/data#1"), part("/b#2"), part("/a#1")]
    assert [one["mount"] for one in disks.measure()] == ["/a#1", "/b#2"]


@pytest.mark.parametrize(
    "facts", [{"fstype": "squashfs"}, {"fstype": "iso9660"}, {"fstype": "overlay"}, {"device": "/dev/loop3"}]
)
def test_images_and_the_like_are_left_out(mounted: list[Any], facts: dict[str, str]) -> None:
    mounted.append(part("/snap/x", **facts))
    assert disks.measure() == []


def test_at_most_fifty_and_no_endless_names(mounted: list[Any]) -> None:
    mounted += [part(f"/{number:03}#{number}") for number in range(60)] + [part("/" + 255 * "x")]
    assert len(disks.measure()) == 50


def test_one_that_cannot_be_looked_at_is_left_out(mounted: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    mounted += [part("/gone#1"), part("/here#2")]
    whole: Any = os.statvfs

    def statvfs(path: str) -> Any:
        if path.startswith("/gone"):
            raise PermissionError(path)
        return whole(path)

    monkeypatch.setattr(os, "statvfs", statvfs)
    assert [one["mount"] for one in disks.measure()] == ["/here#2"]


def test_a_measurement_is_told_once_and_the_next_begins_when_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disks, "measure", lambda: [{"mount": "/"}])
    mine = disks.Disks()
    assert mine.news() == {}  # it never waits
    eventually(lambda: mine.news() == {"disks": [{"mount": "/"}]})
    assert mine.news() == {}
    mine._due = 0.0
    mine.news()
    eventually(lambda: mine.news() == {"disks": [{"mount": "/"}]})


def test_a_filesystem_that_does_not_answer_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    answers, asked = threading.Event(), []

    def measure() -> list[Any]:
        asked.append(1)
        answers.wait(60)
        return []

    monkeypatch.setattr(disks, "measure", measure)
    mine = disks.Disks()
    for _ in range(3):
        mine._due = 0.0
        assert mine.news() == {}
    assert len(asked) == 1
    answers.set()
    eventually(lambda: mine.news() == {"disks": []})


def test_a_measurement_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: Iterator[Any] = iter([OSError("no"), [{"mount": "/"}]])

    def measure() -> list[Any]:
        end = next(ends)
        if isinstance(end, OSError):
            raise end
        return list(end)

    monkeypatch.setattr(disks, "measure", measure)
    mine = disks.Disks()
    mine.news()
    eventually(lambda: not (mine._thread and mine._thread.is_alive()))
    mine._due = 0.0
    mine.news()
    eventually(lambda: mine.news() == {"disks": [{"mount": "/"}]})
