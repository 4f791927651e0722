"""What agents send, as typed and bounded structs; agent/PROTOCOL.md tells the same in prose.

Unknown fields are ignored, so that agents and hub are upgraded separately. Nothing here knows HTTP or the database.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.json import Decoder

MOST_PROCESSES: Final = 500
WHOLE: Final = 2**31 - 1
LONG: Final = 2**63 - 1

# "$" alone would also match before a newline at the end.
AgentId = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(?!\n)$")]
Word = Annotated[str, Meta(max_length=40)]
Name = Annotated[str, Meta(max_length=255)]
Text = Annotated[str, Meta(max_length=4096)]
Count = Annotated[int, Meta(ge=0, le=WHOLE)]
Ticks = Annotated[int, Meta(ge=0, le=LONG)]
Percent = Annotated[float, Meta(ge=0, le=1_000_000)]  # of one core for processes, so it may pass 100
Megabytes = Annotated[float, Meta(ge=0, le=1e12)]
PerSecond = Annotated[float, Meta(ge=0, le=1e15)]
LoadAverage = Annotated[float, Meta(ge=0, le=1_000_000)]
Epoch = Annotated[float, Meta(ge=0, le=1e11)]  # seconds since 1970; milliseconds are past the bound
Seconds = Annotated[float, Meta(ge=0, le=1e11)]
Moment = Annotated[datetime, Meta(tz=True)]
Place = Annotated[int, Meta(ge=0, le=MOST_PROCESSES - 1)]  # in a list of processes, from 0
Places = Annotated[list[Place], Meta(max_length=MOST_PROCESSES)]


def on_the_wire(field: str) -> str:
    """A field's name in JSON: mem_used_mb is memUsedMB."""
    first, *rest = field.split("_")
    return first + "".join("MB" if part == "mb" else part.capitalize() for part in rest)


class Proc(Struct, rename=on_the_wire, gc=False):
    """One process: CPU in percent of one core (None: not yet known), memory in MB, start in ticks since boot."""

    name: Name
    pid: Count
    cpu: Percent | None
    mem_mb: Megabytes
    status: Word
    user: Name = ""
    cmdline: Text = ""
    ppid: Count | None = None
    threads: Count | None = None
    start_ticks: Ticks | None = None


class Changes(Struct, rename=on_the_wire):
    """What is other in a list of processes than in the base's; places rise.

    gone: places in the base's list; new: places in this one, of which procs are the processes; moved: places in this
    one of those that stayed, and of each the four values as they are now. count: how many there are.
    """

    count: Annotated[int, Meta(ge=0, le=MOST_PROCESSES)]
    gone: Places = []
    new: Places = []
    procs: Annotated[list[Proc], Meta(max_length=MOST_PROCESSES)] = []
    moved: Places = []
    cpu: Annotated[list[Percent | None], Meta(max_length=MOST_PROCESSES)] = []
    mem_mb: Annotated[list[Megabytes], Meta(max_length=MOST_PROCESSES)] = []
    status: Annotated[list[Word], Meta(max_length=MOST_PROCESSES)] = []
    threads: Annotated[list[Count | None], Meta(max_length=MOST_PROCESSES)] = []


class Load(Struct, rename=on_the_wire, gc=False):
    """Readings of the whole machine: CPU in percent of all cores, MB, bytes a second; left out where one failed."""

    cpu: Percent | None = None
    cpu_user: Percent | None = None
    cpu_system: Percent | None = None
    cpu_iowait: Percent | None = None  # waiting for a disk: not in cpu
    cpu_steal: Percent | None = None
    mem_used_mb: Megabytes | None = None
    mem_total_mb: Megabytes | None = None
    swap_used_mb: Megabytes | None = None
    swap_total_mb: Megabytes | None = None
    load1: LoadAverage | None = None
    load5: LoadAverage | None = None
    load15: LoadAverage | None = None
    disk_read_bps: PerSecond | None = None
    disk_write_bps: PerSecond | None = None
    net_rx_bps: PerSecond | None = None
    net_tx_bps: PerSecond | None = None
    forks: Count | None = None  # processes and threads that started since the last sample, by the kernel
    new_procs: Count | None = None  # processes of this sample that were not in the last


class Service(Struct, rename=on_the_wire):
    """A unit of the server's service manager, in systemd's words.

    verbs: what it can do and its owner allows; can: what it can do, None where the agent does not tell.
    """

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    active_state: Annotated[str, Meta(max_length=20)]
    manager: Annotated[str, Meta(max_length=20)] = "systemd"
    description: Text | None = None
    load_state: Annotated[str, Meta(max_length=20)] | None = None
    sub_state: Word | None = None
    main_pid: Count | None = None
    start_ticks: Ticks | None = None
    n_restarts: Count | None = None
    result: Word | None = None
    since: Moment | None = None
    mem_mb: Megabytes | None = None
    tasks: Count | None = None
    unit_file_state: Annotated[str, Meta(max_length=20)] | None = None
    type: Word | None = None
    aliases: Annotated[list[Name], Meta(max_length=50)] = []  # its other names
    triggered_by: Annotated[list[Name], Meta(max_length=50)] = []  # what starts it when it is due: sockets, timers
    last_exit: Word | None = None  # how its main process last ended: "0", "7", "SIGSEGV", "oom-kill"
    reloaded_at: Moment | None = None
    reload_status: Annotated[int, Meta(ge=0, le=WHOLE)] | None = None
    verbs: Annotated[list[Word], Meta(max_length=20)] = []
    can: Annotated[list[Word], Meta(max_length=20)] | None = None


class Observation(Struct, rename=on_the_wire, omit_defaults=True):
    """A service or process as seen at a moment, as far as known; settled_sec: seconds seen without a change."""

    active_state: Word | None = None
    sub_state: Word | None = None
    main_pid: Count | None = None
    start_ticks: Ticks | None = None
    result: Word | None = None
    since: Word | None = None
    n_restarts: Count | None = None
    tasks: Count | None = None
    mem_mb: Megabytes | None = None
    type: Word | None = None
    load_state: Word | None = None
    last_exit: Word | None = None
    triggered_by: Annotated[list[Name], Meta(max_length=50)] | None = None
    reloaded_at: Word | None = None
    reload_status: Count | None = None
    boot: Annotated[str, Meta(max_length=80)] | None = None  # names the boot of the system it was seen in
    status: Word | None = None  # of a process: a report's word, or "gone"
    nice: Annotated[int, Meta(ge=-20, le=19)] | None = None
    settled_sec: Seconds | None = None


class Lease(Struct, rename=on_the_wire):
    """A service that is stopped for a time, or how that ended; command: the stop."""

    target: Annotated[str, Meta(min_length=1, max_length=255)]
    command: UUID
    state: Annotated[str, Meta(pattern="^(held|starting|started|booted|others|command|kept|failed)$")]
    until: Moment
    attempts: Annotated[int, Meta(ge=0, le=1000)] = 0
    reason: Annotated[str, Meta(max_length=1_000)] = ""
    ended_at: Moment | None = None
    before: Observation | None = None
    after: Observation | None = None
    output: Annotated[str, Meta(max_length=16_384)] = ""
    log: Annotated[list[Text], Meta(max_length=200)] = []


class Disk(Struct, rename=on_the_wire):
    """A filesystem of the server's own; total: what there is for everybody, root's share left out."""

    mount: Annotated[str, Meta(min_length=1, max_length=255)]
    used_mb: Megabytes
    total_mb: Megabytes
    device: Name = ""
    fs: Word = ""


class Report(Struct, rename=on_the_wire):
    """What an agent posts: host readings, process table, and the services when they changed.

    The table is in procs, or in changes: what is other than in that of the report whose ts is base.
    """

    agent_id: AgentId
    ts: Epoch  # the agent's clock when it sampled
    load: Load
    procs: Annotated[list[Proc], Meta(max_length=MOST_PROCESSES)] | UnsetType = UNSET
    base: Epoch | UnsetType = UNSET
    changes: Changes | UnsetType = UNSET
    uptime_sec: Seconds | None = None
    alerts: Annotated[list[Any], Meta(max_length=100)] = []
    sent_at: Epoch | None = None  # the agent's clock when it sent
    seq: Ticks | None = None
    run_id: Name | None = None
    boot_id: Name | None = None
    boot_time: Epoch | None = None
    ticks_per_sec: Count | None = None
    hostname: Name | None = None
    os: Name | None = None
    kernel: Name | None = None
    cpu_count: Count | None = None
    time_zone: Word | None = None  # the name of the zone that the server's clock is set to
    version: Word | None = None
    procs_total: Count | None = None
    managers: Annotated[list[Word], Meta(max_length=10)] | None = None
    allow: Annotated[list[Name], Meta(max_length=500)] | None = None
    features: Annotated[list[Word], Meta(max_length=50)] | None = None  # what the agent can do besides the first verbs
    services: Annotated[list[Service], Meta(max_length=2000)] | None = None
    disks: Annotated[list[Disk], Meta(max_length=50)] | None = None  # all of them, when they were measured anew
    leases: Annotated[list[Lease], Meta(max_length=200)] | None = None  # all that are not over or not told


class Register(Struct, rename=on_the_wire):
    """How an agent asks for its token."""

    enrolment_key: Annotated[str, Meta(min_length=1, max_length=200)]
    agent_id: AgentId
    hostname: Annotated[str, Meta(min_length=1, max_length=255)]
    fingerprint: Annotated[str, Meta(max_length=64)] = ""


REPORTS, REGISTRATIONS = Decoder(Report), Decoder(Register)
