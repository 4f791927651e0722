"""Reports that wait on disk: bounded, private, and whole whatever happens to the agent or its machine."""

from __future__ import annotations

import json
import logging
import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.backlog import IN_MEMORY, MOST_SEC, Backlog
from agent.stamp import Stamp, age

NOW = 1_800_000_000.0


def at(seconds: float, boot: str = "a", wall: float | None = None, hub: float | None = None) -> Stamp:
    """A moment so many seconds after the boot."""
    return Stamp(NOW + seconds if wall is None else wall, boot, seconds, hub)


def report(number: int) -> bytes:
    return f'{{"seq":{number},"fill":"{os.urandom(200).hex()}"'.encode()


def sent(backlog: Backlog, now: Stamp) -> Iterator[dict[str, Any]]:
    """What the hub would get."""
    while (body := backlog.oldest(now)) is not None:
        yield json.loads(body + b"}")
        backlog.done()


def seqs(backlog: Backlog, now: Stamp) -> list[int]:
    return [one["seq"] for one in sent(backlog, now)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backlog"


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """What the agent has logged so far."""
    monkeypatch.setattr(logging.getLogger("agent"), "propagate", True)
    return lambda: "\n".join(f"{record.getMessage()} {vars(record).get('why', '')}" for record in caplog.records)


def test_they_come_back_in_their_order_with_their_age(folder: Path) -> None:
    backlog = Backlog(folder)
    for number in range(3):
        backlog.add(report(number), at(100 + 10 * number))
    assert [(one["seq"], one["sentAt"]) for one in sent(backlog, at(150))] == [(n, NOW + 150) for n in range(3)]
    assert len(backlog) == 0
    assert list(folder.iterdir()) == []


def test_they_outlive_the_agent_and_new_ones_come_behind(folder: Path) -> None:
    first = Backlog(folder)
    first.add(report(1), at(1))
    first.add(report(2), at(2))
    first.oldest(at(3))
    first.done()
    second = Backlog(folder)
    second.add(report(3), at(3))
    assert seqs(second, at(4)) == [2, 3]


def test_only_their_owner_reads_them(folder: Path) -> None:
    backlog = Backlog(folder)
    backlog.add(report(1), at(1))
    (file,) = folder.iterdir()
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(folder.stat().st_mode)) == (0o600, 0o700)


def test_the_oldest_give_way_when_there_is_no_room(folder: Path, said: Callable[[], str]) -> None:
    backlog = Backlog(folder, most_bytes=4_000)
    for number in range(100):
        backlog.add(report(number), at(number))
        assert sum(file.stat().st_size for file in folder.iterdir()) <= 4_000
    kept = len(backlog)
    assert backlog.dropped() == 100 - kept
    assert "more wait than there is room for" in said()
    assert seqs(backlog, at(200)) == list(range(100 - kept, 100))
    assert 5 < kept < 20


def test_the_oldest_give_way_after_a_day(folder: Path) -> None:
    backlog = Backlog(folder)
    backlog.add(report(1), at(0))
    backlog.add(report(2), at(50))
    backlog.add(report(3), at(MOST_SEC + 20))
    assert len(backlog) == 2
    assert seqs(backlog, at(MOST_SEC + 60)) == [3]


@pytest.mark.parametrize("damage", [b"", b"[1", b"\x00" * 50])
def test_a_torn_one_is_passed_over_and_said(folder: Path, said: Callable[[], str], damage: bytes) -> None:
    backlog = Backlog(folder)
    for number in range(3):
        backlog.add(report(number), at(number))
    newest = max(folder.iterdir())
    newest.write_bytes(damage or newest.read_bytes()[:-9])
    (folder / "000000000003.report.new").write_bytes(b"half")  # killed before it was whole
    again = Backlog(folder)
    assert seqs(again, at(9)) == [0, 1]
    assert "not written to its end" in said()
    assert "cannot be read" in said()
    assert list(folder.iterdir()) == []


def test_while_the_disk_takes_nothing_the_newest_wait_in_memory(folder: Path, said: Callable[[], str]) -> None:
    backlog = Backlog(folder)
    backlog.add(report(0), at(0))
    with no_room():
        for number in range(1, IN_MEMORY + 6):
            backlog.add(report(number), at(number))
    assert said().count("cannot be kept on disk") == 1
    assert backlog.dropped() == 5
    backlog.add(report(99), at(99))
    assert "kept on disk again" in said()
    assert seqs(Backlog(folder), at(100)) == [0, *range(6, IN_MEMORY + 6), 99]


@contextmanager
def no_room() -> Iterator[None]:
    """The kernel lets this process write nothing into any file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_folder_that_cannot_be_made_is_said_and_memory_goes_on(tmp_path: Path, said: Callable[[], str]) -> None:
    (tmp_path / "backlog").write_text("in the way")
    backlog = Backlog(tmp_path / "backlog")
    backlog.add(report(1), at(1))
    assert seqs(backlog, at(2)) == [1]
    assert "cannot be kept on disk" in said()


@pytest.mark.parametrize(
    ("then", "now", "seconds"),
    [
        (at(100), at(160), 60),
        (at(100), at(160, wall=NOW - 8 * 3600), 60),  # the clock was set meanwhile
        (at(100, hub=5000), at(160, hub=99_999), 60),  # the hub's, too
        (at(900, hub=5000), at(30, boot="b", wall=NOW - 1e6, hub=5300), 300),  # a reboot, by the hub's clock
        (at(900, hub=5000), at(30, boot="b", wall=NOW + 1000, hub=1), 100),  # the hub's was set back: by the own one
        (at(900), at(30, boot="b", wall=NOW + 1000), 100),
        (at(900), at(30, boot="b", wall=NOW + 910), None),  # less than the machine has been up again
        (at(900), at(30, boot="b", wall=NOW - 1e6), None),
        (at(900, boot=""), at(960, boot=""), 60),  # a machine that does not name its boots
    ],
)
def test_how_long_ago_it_was_whatever_was_set_since(then: Stamp, now: Stamp, seconds: float | None) -> None:
    assert age(then, now) == seconds


def test_what_nobody_can_place_is_dropped_and_said(folder: Path, said: Callable[[], str]) -> None:
    backlog = Backlog(folder)
    backlog.add(report(1), at(900))
    backlog.add(report(2), at(910, hub=5000))
    assert seqs(backlog, at(30, boot="b", wall=NOW - 1e6, hub=5100)) == [2]
    assert backlog.dropped() == 1
    assert "nobody knows when it was" in said()
