"""One process, looked at by itself: who it is, how it is, and whether anybody may touch it."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from agent.proctable import PAGE_MB, STATUS

GONE = "gone"  # the status of a process that is no more, beside those of a report
STOPPED = ("stopped", "tracing stop")
_TGID = re.compile(rb"^Tgid:\t(\d+)$", re.MULTILINE)  # a name has no line breaks here, whatever it is
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD of the kernel's sched.h
# What a machine, or the way into it, hangs on; the owner adds more by PROTECT. Kernel names, so 15 bytes at most.
PROTECTED = (
    "systemd", "systemd-*", "(sd-pam)", "init", "dbus-daemon", "dbus-broker*", "polkitd", "sshd", "dropbear",
    "supervisord", "runsvdir", "s6-svscan", "containerd*", "dockerd", "conmon", "runc", "NetworkManager",
    "wpa_supplicant", "dhclient", "dhcpcd",
)  # fmt: skip


class Seen(NamedTuple):
    """A process at a moment; `leads`: it is a process and no thread of one."""

    name: str
    status: str
    parent: int
    group: int
    kernel: bool
    nice: int
    start_ticks: int
    mem_mb: float
    leads: bool


def look(pid: int, root: str = "/proc") -> Seen | None:
    """The process now; None when there is none with that pid."""
    try:
        with open(f"{root}/{pid}/stat", "rb") as file:
            raw = file.read(1024)
        with open(f"{root}/{pid}/status", "rb") as file:
            leader = _TGID.search(file.read(4096))
    except OSError:
        return None
    end = raw.rfind(b")")
    fields = raw[end + 2 :].split(None, 22)
    if len(fields) < 22 or leader is None:
        return None
    return Seen(
        name=raw[raw.find(b"(") + 1 : end].decode("utf-8", "replace"),
        status=STATUS.get(fields[0], "idle"),
        parent=int(fields[1]),
        group=int(fields[2]),
        kernel=bool(int(fields[6]) & _KERNEL_THREAD),
        nice=int(fields[16]),
        start_ticks=int(fields[19]),
        mem_mb=round(int(fields[21]) * PAGE_MB, 2),
        leads=int(leader[1]) == pid,
    )


def untouchable(pid: int, seen: Seen, protect: Iterable[str] = ()) -> str:
    """Why nobody may signal or renice this process through the agent; empty when somebody may."""
    if pid == 1:
        return "PID 1 is not touched: the whole server hangs on it"
    if seen.kernel:
        return f"{seen.name} is a kernel thread: nothing reaches it"
    if not seen.leads:
        return f"PID {pid} is a thread, not a process"
    if pid in own_line() or seen.group == os.getpgrp():
        return "this is the agent itself, or what started it"
    if any(fnmatchcase(seen.name, pattern) for pattern in (*PROTECTED, *protect)):
        return f"{seen.name} is protected: the server, or the way into it, hangs on it"
    if seen.status == "zombie":
        return f"it has ended already (a zombie) and waits for its parent, PID {seen.parent}, to take note"
    return ""


def own_line() -> set[int]:
    """The agent and those it descends from."""
    line, pid = set(), os.getpid()
    while pid > 0 and pid not in line:
        line.add(pid)
        seen = look(pid)
        pid = seen.parent if seen else 0
    return line


def user_of(pid: int) -> str:
    """The name of its user; empty when it is gone."""
    try:
        uid = os.stat(f"/proc/{pid}").st_uid
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
    except OSError:
        return ""
