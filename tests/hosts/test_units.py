"""The sample services misbehave as their names say, so that tests about commands can stand on them."""

import pytest

from tests.hosts import units
from tests.hosts.host import Host
from tests.hosts.waiting import eventually


@pytest.fixture(autouse=True, scope="module")
def installed(host: Host) -> None:
    units.install_units(host)


@pytest.fixture(autouse=True)
def stopped_afterwards(host: Host, installed: None) -> None:
    host.systemctl("stop", "--no-block", *units.UNITS)
    host.systemctl("reset-failed")


def test_each_is_known_and_off(host: Host) -> None:
    for name in units.UNITS:
        host.wait_unit(name, LoadState="loaded", ActiveState="inactive")


def test_ok_runs_and_reloads(host: Host) -> None:
    host.systemctl("start", units.OK)
    state = host.wait_unit(units.OK, ActiveState="active", SubState="running")
    host.systemctl("reload", units.OK)
    assert host.unit_state(units.OK)["MainPID"] == state["MainPID"]


def test_never_ready_stays_activating(host: Host) -> None:
    host.systemctl("start", "--no-block", units.NEVER_READY)
    state = host.wait_unit(units.NEVER_READY, ActiveState="activating", SubState="start")
    assert int(state["MainPID"]) > 1


def test_dies_soon_is_active_first_and_failed_then(host: Host) -> None:
    host.systemctl("start", units.DIES_SOON)
    assert host.unit_state(units.DIES_SOON)["ActiveState"] == "active"
    state = host.wait_unit(units.DIES_SOON, ActiveState="failed")
    assert (state["Result"], state["ExecMainStatus"]) == ("exit-code", "1")
    eventually(lambda: host.journal(units.DIES_SOON), lambda text: "the disk is full" in text)


def test_fails_to_start_is_an_error_of_systemctl(host: Host) -> None:
    assert host.run("systemctl", "start", units.FAILS_TO_START, check=False).returncode == 1
    assert host.unit_state(units.FAILS_TO_START)["ActiveState"] == "failed"


def test_oneshot_ends_well(host: Host) -> None:
    host.systemctl("start", units.ONESHOT)
    host.wait_unit(units.ONESHOT, ActiveState="inactive", Result="success")
    # systemd forgets a unit that ended well and nobody refers to: only its journal tells that it ran.
    eventually(lambda: host.journal(units.ONESHOT), lambda text: "all its work" in text)


def test_restart_loop_counts_its_restarts(host: Host) -> None:
    host.systemctl("start", units.RESTART_LOOP)
    eventually(lambda: int(host.unit_state(units.RESTART_LOOP)["NRestarts"]), lambda count: count >= 3)


def test_masked_cannot_be_started(host: Host) -> None:
    assert host.unit_state(units.MASKED)["LoadState"] == "masked"
    assert "is masked" in host.run("systemctl", "start", units.MASKED, check=False).stderr


def test_slow_stop_is_deactivating_for_a_while(host: Host) -> None:
    host.write(units.SLOW_STOP_HELD, "")
    host.systemctl("start", units.SLOW_STOP)
    host.run("sh", "-c", f"until [ -e {units.SLOW_STOP_READY} ]; do sleep 0.1; done")
    host.systemctl("stop", "--no-block", units.SLOW_STOP)
    host.wait_unit(units.SLOW_STOP, ActiveState="deactivating")
    host.run("rm", units.SLOW_STOP_HELD)
    host.wait_unit(units.SLOW_STOP, ActiveState="inactive", Result="success")
