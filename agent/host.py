"""Readings of the whole machine. A reading that fails is logged and left out; reporting goes on."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

from agent.kept import Kept
from agent.kernelstat import CPU_TIMES, KernelStat
from agent.logs import log
from agent.procstat import start_ticks

MB = 1048576
LOCAL_TIME = "/etc/localtime"
SECTOR = 512  # bytes, in /proc/diskstats, whatever the disk has
Reading = dict[str, Any]
CPU_PARTS = {
    "cpuUser": ("user", "nice"),
    "cpuSystem": ("system", "irq", "softirq"),
    "cpuIowait": ("iowait",),
    "cpuSteal": ("steal",),
}


class HostReadings:
    """Call `load` at each report: rates are over the time since the last call, None at the first."""

    def __init__(self, stat: KernelStat) -> None:
        self._stat = stat
        self._last: dict[str, tuple[float, float]] = {}
        self._cpu_times: dict[str, int] | None = None
        self._failing: set[str] = set()
        self._memory_file = Kept("/proc/meminfo")
        self._disks_file = Kept("/proc/diskstats")
        self._network_file = Kept("/proc/net/dev")
        self._collectors: tuple[tuple[str, Callable[[], Reading]], ...] = (
            ("cpu", self._cpu),
            ("memory", self._memory),
            ("load average", _load_average),
            ("disks", self._disks),
            ("network", self._network),
        )

    def load(self) -> Reading:
        """CPU and its parts in percent of all cores, memory and swap in MB, load, disk and network in bytes/s."""
        readings: Reading = {}
        for name, collect in self._collectors:
            readings.update(self._tried(name, collect))
        return readings

    def _tried(self, name: str, collect: Callable[[], Reading]) -> Reading:
        try:
            reading = collect()
        except Exception as error:  # noqa: BLE001 - whatever a kernel or psutil does, the other readings go on
            if name not in self._failing:
                log.warning("a reading failed and is left out", extra={"reading": name, "error": repr(error)})
            self._failing.add(name)
            return {}
        self._failing.discard(name)
        return reading

    def _cpu(self) -> Reading:
        times = self._stat.cpu_times()
        before, self._cpu_times = self._cpu_times, times
        if before is None:
            return {"cpu": None}
        # A kernel may count some of them backwards a little, iowait above all.
        spent = {name: max(0, times.get(name, 0) - before.get(name, 0)) for name in CPU_TIMES}
        whole = sum(spent.values())
        if not whole:
            return {"cpu": None}
        shares = {part: round(100 * sum(spent[name] for name in names) / whole, 1) for part, names in CPU_PARTS.items()}
        busy = whole - spent["idle"] - spent["iowait"]
        return {"cpu": round(100 * busy / whole, 1), **shares}

    def _memory(self) -> Reading:
        # psutil reads this file twice and /proc/vmstat besides, and understands ten times as much of it.
        words = self._memory_file.read().split()
        wanted = (b"MemTotal:", b"MemAvailable:", b"SwapTotal:", b"SwapFree:")
        total, available, swap, swap_free = (int(words[words.index(name) + 1]) / 1024 for name in wanted)
        return {
            "memUsedMB": round(total - available, 1),
            "memTotalMB": round(total, 1),
            "swapUsedMB": round(swap - swap_free, 1),
            "swapTotalMB": round(swap, 1),
        }

    # psutil understands all of the next two files, at twice the cost.
    def _disks(self) -> Reading:
        lines = [line.split(None, 10) for line in self._disks_file.read().splitlines()]
        counters = {os.fsdecode(line[2]): (int(line[5]) * SECTOR, int(line[9]) * SECTOR) for line in lines}
        real = _physical(tuple(counters), "/sys/block", ("loop", "ram", "dm-", "md", "zram"))
        return {
            "diskReadBps": self._rate("read", sum(counters[d][0] for d in real)),
            "diskWriteBps": self._rate("write", sum(counters[d][1] for d in real)),
        }

    def _network(self) -> Reading:
        lines = self._network_file.read().splitlines()[2:]  # behind two lines of headings
        named = [line.rpartition(b":") for line in lines]
        numbers = {os.fsdecode(name.strip()): rest.split(None, 9) for name, _colon, rest in named}
        real = _physical(tuple(numbers), "/sys/class/net", ("lo", "veth", "docker", "br-", "virbr"))
        return {
            "netRxBps": self._rate("rx", sum(int(numbers[n][0]) for n in real)),
            "netTxBps": self._rate("tx", sum(int(numbers[n][8]) for n in real)),
        }

    def _rate(self, name: str, total: float) -> float | None:
        now = time.monotonic()
        before = self._last.get(name)
        self._last[name] = (now, total)
        if before is None or total < before[1]:  # a counter that fell belongs to another set of devices
            return None
        return round((total - before[1]) / max(now - before[0], 0.001), 1)


@lru_cache(maxsize=8)
def _physical(names: tuple[str, ...], folder: str, virtual: tuple[str, ...]) -> list[str]:
    """The devices that are hardware, so that bytes through a stack of them count once; else the unstacked ones."""
    present = [n for n in names if os.path.exists(f"{folder}/{n}")]
    real = [n for n in present if os.path.exists(f"{folder}/{n}/device")]
    return real or [n for n in present if not n.startswith(virtual)]


def _load_average() -> Reading:
    one, five, fifteen = os.getloadavg()
    return {"load1": round(one, 2), "load5": round(five, 2), "load15": round(fifteen, 2)}


def uptime(stat: KernelStat) -> Reading:
    """Seconds since boot, and the moment of boot by this machine's clock (epoch seconds) where the kernel tells it."""
    booted = stat.number("btime")
    return {
        "uptimeSec": int(time.clock_gettime(time.CLOCK_BOOTTIME)),
        **({} if booted is None else {"bootTime": booted}),
    }


def time_zone() -> Reading:
    """The name of the zone that this machine's clock is set to, "Europe/Bucharest"; nothing where it is not told."""
    try:
        link = os.readlink(LOCAL_TIME)  # by realpath it would be eight calls each time
    except OSError:  # a copy, as some systems have
        link = ""
    if link and "/zoneinfo/" not in link:  # to another link
        link = os.path.realpath(LOCAL_TIME)
    where = link.partition("/zoneinfo/")[2] or _text("/etc/timezone")
    return {"timeZone": where[:40]} if where else {}


def identity() -> Reading:
    """What does not change while the machine runs: names, versions, size, boot id."""
    return {
        "hostname": socket.gethostname()[:255],
        "os": _os_name(),
        "kernel": os.uname().release,
        "cpuCount": os.cpu_count() or 1,
        "bootId": boot_id(),
    }


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Names this boot of the kernel, which no process outlives; empty where it does not tell."""
    return _text("/proc/sys/kernel/random/boot_id")


def boot() -> str:
    """Names this boot of the system: a container is started anew without its kernel, but its pid 1 is another then."""
    return f"{boot_id()}/{start_ticks(1)}"


def memory_total_mb() -> float:
    """All memory of this machine in MB."""
    return round(psutil.virtual_memory().total / MB, 1)


def machine_id() -> str:
    """This installation's own id, or the hostname where it has none."""
    return _text("/etc/machine-id") or _text("/var/lib/dbus/machine-id") or socket.gethostname()


def _os_name() -> str:
    for line in (_text("/etc/os-release") or _text("/usr/lib/os-release")).splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip().strip("\"'")[:200]
    return os.uname().sysname


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
