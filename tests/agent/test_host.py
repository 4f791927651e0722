"""The readings of the whole machine, beside what psutil makes of the same kernel."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from agent import host
from agent.kernelstat import CPU_TIMES, KernelStat
from agent.proctable import TICKS_PER_SEC


@pytest.fixture
def stat() -> KernelStat:
    now = KernelStat()
    now.read()
    return now


def test_the_kernel_counts_are_those_that_psutil_tells(stat: KernelStat) -> None:
    before = psutil.cpu_times()
    stat.read()
    told, after = stat.cpu_times(), psutil.cpu_times()
    for name in CPU_TIMES:
        low, high = sorted((getattr(before, name), getattr(after, name)))  # iowait may count backwards
        assert low - 0.1 <= told[name] / TICKS_PER_SEC <= high + 0.1
    assert host.uptime(stat)["bootTime"] == int(psutil.boot_time())
    assert stat.number("processes")
    assert stat.number("nothing") is None


def counted() -> dict[str, int]:
    """Bytes since boot through what is hardware, as psutil tells them."""
    disks = psutil.disk_io_counters(perdisk=True, nowrap=False)
    cards = psutil.net_io_counters(pernic=True, nowrap=False)
    real = host._physical(tuple(disks), "/sys/block", ("loop", "ram", "dm-", "md", "zram"))
    wired = host._physical(tuple(cards), "/sys/class/net", ("lo", "veth", "docker", "br-", "virbr"))
    return {
        "read": sum(disks[name].read_bytes for name in real),
        "write": sum(disks[name].write_bytes for name in real),
        "rx": sum(cards[name].bytes_recv for name in wired),
        "tx": sum(cards[name].bytes_sent for name in wired),
    }


def test_rates_are_of_what_disks_and_cards_have_counted(stat: KernelStat, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = host.HostReadings(stat)
    told: dict[str, float] = {}
    monkeypatch.setattr(readings, "_rate", told.setdefault)
    before = counted()
    readings.load()
    after = counted()
    assert told.keys() == before.keys()
    assert all(before[name] <= told[name] <= after[name] for name in told)


def test_a_busy_machine_is_told_busy(stat: KernelStat) -> None:
    readings = host.HostReadings(stat)
    assert readings.load()["cpu"] is None
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        pass
    stat.read()
    told = readings.load()
    assert told["cpu"] > 0
    assert sum(told[part] for part in ("cpuUser", "cpuSystem", "cpuSteal")) == pytest.approx(told["cpu"], abs=0.3)
    assert told["netRxBps"] >= 0


def test_a_kernel_that_tells_nothing_is_said_once_and_the_rest_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stat = KernelStat(str(tmp_path / "stat"))
    readings = host.HostReadings(stat)
    for _ in range(2):
        stat.read()
        told = readings.load()
    assert "cpu" not in told
    assert told["memTotalMB"] > 0
    assert "bootTime" not in host.uptime(stat)
    assert caplog.messages == ["the kernel's counts cannot be read", "a reading failed and is left out"]
    (tmp_path / "stat").write_text("cpu  1 2 3 4\nintr 5\nbtime 99\nprocesses 7\n")
    stat.read()
    assert stat.cpu_times() == {"user": 1, "nice": 2, "system": 3, "idle": 4}
    assert (stat.number("btime"), stat.number("processes")) == (99, 7)
