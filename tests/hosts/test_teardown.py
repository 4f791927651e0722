"""However a lab ends, the machine is as it was: its own name is on nothing any more."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.hosts.host import Host
from tests.hosts.lab import Lab, lab_or_skip
from tests.hosts.layout import CHECKOUT, FOLDER
from tests.hosts.sweep import leftovers
from tests.hosts.waiting import eventually

HOLD_A_LAB = """
import sys, time
from tests.hosts.host import Host
from tests.hosts.lab import Lab
lab = Lab().__enter__()
if "server" in sys.argv:
    lab.boot("orphan")
if "no-janitor" in sys.argv:
    lab._janitor.kill()
    lab._janitor.wait()
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def clean_machine() -> None:
    """Start from a machine without a lab, whatever an earlier run left."""
    lab_or_skip()
    with Lab():
        pass
    assert leftovers() == []


def holder(*how: str) -> "subprocess.Popen[str]":
    """Another process that wants the lab and keeps it; it says "up" once it has it."""
    argv = [sys.executable, "-c", HOLD_A_LAB, *how]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)


def wait_until_up(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


FAULTS: dict[str, Callable[[Host], None]] = {
    "cut": Host.cut,
    "loss": lambda host: host.loss(50),
    "hang": Host.hang,
    "power cut": Host.power_cut,
    "off": Host.stop,
}


def fail_in_the_middle_of(fault: Callable[[Host], None]) -> None:
    with Lab() as lab:
        (host,) = lab.boot("doomed")
        fault(host)
        assert "cgroup pmlab1" in leftovers()
        raise ZeroDivisionError


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_nothing_is_left_after_a_test_failed_in_the_middle_of_a_fault(fault: Callable[[Host], None]) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_in_the_middle_of(fault)
    assert leftovers() == []
    assert not (FOLDER / "hosts" / "1").exists()


def test_the_janitor_sweeps_after_a_killed_run() -> None:
    process = holder("server")
    wait_until_up(process)
    assert "cgroup pmlab1" in leftovers()
    kill(process)
    eventually(leftovers, lambda left: left == [], within=20)


def test_a_stale_lab_is_swept_by_the_next_one() -> None:
    process = holder("server", "no-janitor")
    wait_until_up(process)
    kill(process)
    assert "cgroup pmlab1" in leftovers()
    with Lab() as lab:
        assert leftovers() == ["namespace pmlab-switch", "link pmlabhub", "route 10.231.0.1"]
        (host,) = lab.boot("successor")
        assert host.run("true").returncode == 0
    assert leftovers() == []


def test_a_second_lab_waits_for_the_first_ones_end() -> None:
    with Lab():
        process = holder()
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=1.5)
    wait_until_up(process)
    kill(process)
    eventually(leftovers, lambda left: left == [], within=20)
