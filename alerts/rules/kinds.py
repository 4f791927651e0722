"""What a rule can watch for: each kind with its words, its unit, what else it needs and what it is about. Data."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from django.utils.translation import gettext_lazy as _
from msgspec import Meta, Struct

from servers.wire import on_the_wire

READING, DISK_USED, DISK_FILLING = "reading", "disk_used", "disk_filling"
SILENT, REBOOTED, SKEW, OUTDATED = "server_silent", "server_rebooted", "clock_skew", "agent_outdated"
MISSING, TOO_MANY, RESTARTING = "process_missing", "process_count", "process_restarting"
PROCESS_CPU, PROCESS_MEMORY = "process_cpu", "process_memory"
FAILED, INACTIVE, FLAPPING, RESTARTED = "service_failed", "service_inactive", "service_flapping", "service_restarted"
COMMAND_FAILED = "command_failed"

# Groups of the editor's choice
SERVER, PROCESS, SERVICE, HUB = "server", "process", "service", "command"
Pattern = Annotated[str, Meta(min_length=1, max_length=255)]
Window = Annotated[int, Meta(ge=60, le=7 * 86_400)]  # seconds


class Nothing(Struct, forbid_unknown_fields=True):
    """A kind that needs nothing besides."""


class Reading(Struct, rename=on_the_wire, forbid_unknown_fields=True):
    """metric: a key of READINGS; below: the limit is a lower one."""

    metric: str
    below: bool = False


class Mount(Struct, rename=on_the_wire, forbid_unknown_fields=True):
    """mount: a pattern as in a shell of mount points."""

    mount: Pattern = "*"


class Processes(Struct, rename=on_the_wire, forbid_unknown_fields=True):
    """Which processes: by one of name (a pattern as in a shell), a part of the command line, user, service (its unit).

    together: their sum is looked at, not each of them; of the kinds in SUMMED alone, to others it means nothing.
    """

    by: str  # "name", "cmdline", "user", "service"
    pattern: Pattern
    together: bool = False


class Restarting(Processes, rename=on_the_wire, forbid_unknown_fields=True, kw_only=True):
    """And within how many seconds so many restarts are counted."""

    within_sec: Window = 600


class Unit(Struct, rename=on_the_wire, forbid_unknown_fields=True):
    """service: a pattern as in a shell of units' names."""

    service: Pattern = "*"


class Often(Unit, rename=on_the_wire, forbid_unknown_fields=True):
    """And within how many seconds they are counted."""

    within_sec: Window = 600


class Happened(Struct, rename=on_the_wire, forbid_unknown_fields=True):
    """For how many seconds after it something that happened at one moment keeps its incident open."""

    within_sec: Window = 900


class Kind(NamedTuple):
    """One kind of rule. unit: of its limit, None where it has none; least and most: of the limit."""

    word: Any
    group: str
    params: type[Struct]
    unit: str | None = None  # "%", "s", "h", "MB", "count", "" (no unit); a reading's is its metric's
    least: float = 0
    most: float = 1e15
    usual: float | None = None  # the limit a new rule begins with
    seconds: int = 0  # "for" of a new rule


KINDS: dict[str, Kind] = {
    READING: Kind(_("Reading over a limit"), SERVER, Reading, "", usual=90, seconds=300),
    SILENT: Kind(_("Server silent"), SERVER, Nothing, seconds=60),
    REBOOTED: Kind(_("Server rebooted"), SERVER, Happened),
    DISK_USED: Kind(_("Disk used"), SERVER, Mount, "%", 0, 100, usual=90, seconds=600),
    DISK_FILLING: Kind(_("Disk full within"), SERVER, Mount, "h", 0, 8_760, usual=24, seconds=1_800),
    SKEW: Kind(_("Clock off by more than"), SERVER, Nothing, "s", 0, 1e9, usual=5, seconds=300),
    OUTDATED: Kind(_("Agent outdated"), SERVER, Nothing, seconds=3_600),
    MISSING: Kind(_("Process missing"), PROCESS, Processes, "count", 1, 1e6, usual=1, seconds=30),
    TOO_MANY: Kind(_("Too many processes"), PROCESS, Processes, "count", 0, 1e6, usual=100, seconds=60),
    RESTARTING: Kind(_("Process restarting"), PROCESS, Restarting, "count", 1, 1e6, usual=3),
    PROCESS_CPU: Kind(_("Process over CPU"), PROCESS, Processes, "%", 0, 1e6, usual=90, seconds=300),
    PROCESS_MEMORY: Kind(_("Process over memory"), PROCESS, Processes, "MB", 0, 1e9, usual=1_024, seconds=300),
    FAILED: Kind(_("Service failed"), SERVICE, Unit),
    INACTIVE: Kind(_("Service inactive"), SERVICE, Unit, seconds=60),
    FLAPPING: Kind(_("Service flapping"), SERVICE, Often, "count", 1, 1e6, usual=4),
    RESTARTED: Kind(_("Service restarted"), SERVICE, Often, "count", 1, 1e6, usual=3),
    COMMAND_FAILED: Kind(_("Command failed"), HUB, Happened),
}
BY = ("name", "cmdline", "user", "service")
SUMMED = (PROCESS_CPU, PROCESS_MEMORY)


class Metric(NamedTuple):
    """A host reading a rule can be about; of the readings' columns (servers.history.READINGS) in SQL."""

    word: Any
    unit: str
    sql: str


READINGS: dict[str, Metric] = {
    "cpu": Metric(_("CPU"), "%", "cpu"),
    "cpuIowait": Metric(_("Waiting for disks"), "%", "cpu_iowait"),
    "cpuSteal": Metric(_("CPU taken by others"), "%", "cpu_steal"),
    "mem": Metric(_("Memory used"), "%", "100 * mem_used_mb / nullif(mem_total_mb, 0)"),
    "swap": Metric(_("Swap used"), "%", "100 * swap_used_mb / nullif(swap_total_mb, 0)"),
    "load1": Metric(_("Load average, 1 min"), "", "load1"),
    "load5": Metric(_("Load average, 5 min"), "", "load5"),
    "load15": Metric(_("Load average, 15 min"), "", "load15"),
    "load1PerCpu": Metric(_("Load average per processor"), "", "load1 / nullif(cpus, 0)"),  # cpus: of newest's facts
    "diskReadBps": Metric(_("Read from disks"), "B/s", "disk_read_bps"),
    "diskWriteBps": Metric(_("Written to disks"), "B/s", "disk_write_bps"),
    "netRxBps": Metric(_("Received"), "B/s", "net_rx_bps"),
    "netTxBps": Metric(_("Sent"), "B/s", "net_tx_bps"),
    "procs": Metric(_("Processes"), "count", "procs_total"),
}
