"""Borrowed stops on disk: which clock ends one, and what a reboot or a wrong clock makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.leasebook import BOOT_GRACE_SEC, HELD, Clock, LeaseBook, LeaseError


class Machine:
    """A machine's clocks, as a test sets them."""

    def __init__(self) -> None:
        self.boot_id, self.boot, self.wall = "boot-1", 1000.0, 1_800_000_000.0

    def clock(self) -> Clock:
        return Clock(self.boot_id, lambda: self.boot, lambda: self.wall)

    def sleep(self, seconds: float) -> None:
        self.boot += seconds
        self.wall += seconds

    def reboot(self, off: float = 0, wall: float | None = None) -> None:
        self.boot_id += "+"
        self.boot = 3.0
        self.wall = self.wall + off if wall is None else wall


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leases.json"


def lend(path: Path, machine: Machine, seconds: float = 1200) -> LeaseBook:
    book = LeaseBook(path, machine.clock())
    book.put("c1", target="nginx.service", state=HELD, attempts=0, **book.ends_in(seconds))
    return book


def left(path: Path, machine: Machine) -> float:
    book = LeaseBook(path, machine.clock())
    return book.left(book.open()[0])


def test_within_a_boot_no_setting_of_the_clock_moves_the_end(path: Path, machine: Machine) -> None:
    lend(path, machine)
    machine.sleep(300)
    for wall in (0.0, machine.wall - 3 * 3600, machine.wall + 10 * 3600):
        machine.wall = wall
        assert left(path, machine) == 900


def test_after_a_reboot_the_wall_clock_tells_what_is_left(path: Path, machine: Machine) -> None:
    lend(path, machine)
    machine.sleep(300)
    machine.reboot(off=100)
    assert left(path, machine) == 800


def test_one_that_ended_while_the_machine_was_off_ends_once_the_boot_had_its_chance(
    path: Path, machine: Machine
) -> None:
    lend(path, machine)
    machine.reboot(off=50_000)
    assert left(path, machine) == BOOT_GRACE_SEC


def test_a_clock_that_jumped_back_keeps_nothing_stopped_for_ever(path: Path, machine: Machine) -> None:
    lend(path, machine)
    machine.reboot(wall=0.0)
    assert left(path, machine) == 1200, "once more its length, at most"
    machine.sleep(700)
    machine.wall = 0.0
    assert left(path, machine) == 500, "and that is not begun again at each start of the agent"


def test_the_wall_clock_is_believed_again_after_the_next_reboot_only(path: Path, machine: Machine) -> None:
    lend(path, machine, 600)
    machine.reboot(off=60)
    assert left(path, machine) == 540
    machine.sleep(40)
    machine.reboot(off=60)
    assert left(path, machine) == 440


def test_what_cannot_be_put_on_disk_is_not_lent(path: Path, machine: Machine) -> None:
    book = lend(path, machine)
    path.with_name("leases.json.new").mkdir()
    with pytest.raises(LeaseError, match="cannot be written"):
        book.put("c2", target="redis.service", state=HELD, **book.ends_in(60))
    with pytest.raises(LeaseError):
        book.put("c1", **book.ends_in(9999))
    assert [(lease["command"], book.left(lease)) for lease in book.open()] == [("c1", 1200)]


def test_what_has_happened_counts_even_if_it_cannot_be_put_on_disk(path: Path, machine: Machine) -> None:
    book = lend(path, machine)
    path.with_name("leases.json.new").mkdir()
    book.note("c1", state="started")
    assert book.open() == []


@pytest.mark.parametrize("content", ["", "{", "[1, {}]", '[{"command": "c"}]', "null", '"x"'])
def test_a_file_that_makes_no_sense_lends_nothing(path: Path, machine: Machine, content: str) -> None:
    path.write_text(content)
    assert LeaseBook(path, machine.clock()).all() == []


def test_ends_the_hub_knows_are_told_no_more_and_forgotten_in_time(path: Path, machine: Machine) -> None:
    book = LeaseBook(path, machine.clock())
    for number in range(30):
        book.put(f"c{number}", target="nginx.service", state="started", attempts=1, **book.ends_in(1))
    book.told([f"c{number}" for number in range(29)])
    kept = json.loads(path.read_text())
    assert [lease["command"] for lease in kept] == [f"c{number}" for number in range(9, 30)]
    assert [lease["command"] for lease in kept if not lease.get("told")] == ["c29"]
