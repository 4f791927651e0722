"""The process table, read from /proc/<pid>/stat itself on descriptors that are kept open.

A kept descriptor belongs to one process: once that process is gone, reading it fails even when its pid is in use
again. So a recycled pid is never taken for the old process, and half the cost (open, close) is saved.
"""

from __future__ import annotations

import json
import os
import pwd
import resource
import time
from functools import lru_cache
from typing import NamedTuple

from agent import scrub
from agent.newcomers import Newcomers
from agent.procstat import started_in
from agent.runs import Memory, clock_of, clocks

STATUS = {
    b"R": "running",
    b"S": "sleeping",
    b"D": "disk wait",
    b"Z": "zombie",
    b"T": "stopped",
    b"t": "tracing stop",
    b"I": "idle",
    b"P": "idle",  # parked kernel thread
    b"X": "dead",
    b"x": "dead",
    b"W": "running",  # waking
    b"K": "sleeping",
}
TICKS_PER_SEC = os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1048576
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
PF_KTHREAD = 0x00200000  # of the flags in stat (include/linux/sched.h)
SPARE = 128  # for sockets, children and files
_CMDLINE_BYTES = 4096
AGAIN_SEC = 300  # within which each process is looked at again, whatever is said of it: it may have become another
_GONE = (FileNotFoundError, ProcessLookupError, PermissionError)  # the last: a mount hides it (hidepid=1)
_STAT_BYTES = 400  # past the last field read here; Python allocates up to 512 bytes much faster than more


Moves = tuple[str, str, str, str]  # cpu, memMB, status, threads: as JSON


class Looks(NamedTuple):
    """Which program a process is, and whose: its user's id, None where nobody knows, and its command line as it is."""

    user: int | None
    cmdline: bytes


NOTHING = Looks(None, b"")


class Process:
    """One process as last seen; `stays` and `moves` are its entry in the report, JSON but for its end."""

    __slots__ = (
        *("clock", "comm", "cpu", "fd", "idle", "looked", "looks", "moves", "parent", "pid", "ran", "rss_pages"),
        *("seen", "start_ticks", "stays", "ticks", "told", "whole_ticks"),
    )

    def __init__(self, pid: int, fd: int) -> None:
        self.pid = pid
        self.fd = fd
        self.idle = b""  # what stat said when it was idle and known: then its entry stays while that is said again
        self.clock = clock_of(pid)
        self.told: int | None = None  # what its clock said when it was asked last before stat was read
        self.ran: int | None = None  # the same, where nothing of its entry is other while the clock says that again
        self.looked: int | None = None  # what that said when its looks were last looked at
        self.comm = b""
        self.start_ticks = -1
        self.ticks = 0
        self.whole_ticks = 0  # at the last whole sample; a process that has begun since had none
        self.rss_pages = 0
        self.cpu: float | None = None  # percent of one core since the last sample, or the last whole one
        self.seen = 0  # samples so far, up to 2
        self.looks = NOTHING
        self.parent = b""
        self.stays = ""
        self.moves: Moves = ("null", "0.00", '"idle"', "0")


@lru_cache(maxsize=128)
def _shown(cmdline: bytes) -> str:
    """A command line as the report has it; each is asked for twice, and many start again and again."""
    return scrub.command_line(cmdline.rstrip(b"\0").decode("utf-8", "replace").split("\0")) if cmdline else ""


class ProcTable:
    """Reads all processes of this machine; call `sample` at each report."""

    def __init__(self, root: str = "/proc") -> None:
        self._root = root
        self._known: dict[int, Process] = {}  # by pid
        self._at = self._whole_at = 0.0
        self._turn = int(time.monotonic())
        self.new = 0  # processes in the last sample that were not in the one before
        self._kept = 0
        # Past this, stat is opened, read and closed each time: twice the cost, but never out of descriptors.
        self._keep_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - len(os.listdir("/proc/self/fd")) - SPARE
        self._users: dict[int, str] = {}
        self._memory = Memory(f"{root}/vmstat")
        self._told = clocks(root)
        self._newcomers = Newcomers(root, self._told)
        self._there: set[int] = set()  # pids that were seen to be processes' in this sample
        self._ended: set[bytes] = set()  # pids in this sample that ended or are someone else's now

    def started(self, pid: int) -> int | None:
        """The start ticks of a process in the last sample; None when it was not there."""
        process = self._known.get(pid)
        return None if process is None else process.start_ticks

    def sample(self, whole: bool = True, forks: int | None = None) -> list[Process]:
        """Every process now, by pid, kernel threads too; CPU is over the time since the last call, None at first.

        whole: over the time since the last whole call, which leaves out the calls between.
        forks: how many processes the kernel has started until just before this call.
        """
        now = time.monotonic()
        scale = 100.0 / (TICKS_PER_SEC * max(now - (self._whole_at if whole else self._at), 0.001))
        uneven = whole and self._at != self._whole_at  # who is idle now may have worked since
        self.new = 0
        self._list(forks)
        still, told = not self._memory.was_taken() and not uneven, self._told
        ran: int | None
        for process in list(self._known.values()):
            try:
                ran = told(process.clock)
            except OSError:  # gone, or not told: its stat says which
                ran = process.ran = None
            if ran is None or ran != process.ran or not still:
                self._reread(process, ran, scale, whole, uneven)
        self._adopt()
        self._look_again(int(now))
        self._at = now
        if whole:
            self._whole_at = now
        return list(self._known.values())

    def _look_again(self, second: int) -> None:
        """Some in each sample: a process that is another program now, or another user's, may keep its name."""
        last, self._turn = max(self._turn, second - AGAIN_SEC), second
        # By the pid: places in the table shift as others come and go, and some would have no turn for ever.
        turns = {turn % AGAIN_SEC for turn in range(last, second)}
        for process in [one for one in self._known.values() if one.pid % AGAIN_SEC in turns]:
            ran, process.ran = process.ran, None  # memory that others took from it, which nobody tells, is seen then
            if ran is not None and ran == process.looked:
                continue  # who has not run is no other program, and nobody else's
            process.looked, looks = ran, self._looks(process)
            if looks.cmdline and looks != process.looks:  # one that has ended, or is about to, keeps what it had
                self._identify(process, looks)

    def _adopt(self) -> None:
        """Those whose parent ended have another one, whether they ran or not."""
        ended, self._ended = self._ended, set()
        if not ended:
            return
        for process in self._known.values():
            if process.parent in ended and (raw := self._read(process)):
                process.parent, process.idle = raw[raw.rfind(b")") + 2 :].split(None, 2)[1], b""
                self._identify(process, process.looks)

    def _list(self, forks: int | None) -> None:
        """Know who is there, in the order of /proc, which is that of their pids."""
        began = self._newcomers.since_last(forks)
        if began is None:
            known, pids = self._known, [int(name) for name in os.listdir(self._root) if name.isdigit()]
            self._there = set(pids)
            if pids != list(known):
                self._known = {pid: known.pop(pid) if pid in known else self._opened(pid) for pid in pids}
                for gone in known.values():
                    self._close(gone)
            return
        self._there = set(began)
        if new := [pid for pid in began if pid not in self._known]:
            self._known.update((pid, self._opened(pid)) for pid in new)
            self._known = dict(sorted(self._known.items()))

    def _reread(self, process: Process, ran: int | None, scale: float, whole: bool, uneven: bool) -> None:
        """One that may be other than before. ran: what its clock told just now."""
        raw = self._read(process)
        if not raw:
            self._close(process)
            if process.pid in self._there:  # somebody else has its pid
                process, ran = self._opened(process.pid), None
                raw = self._read(process)
        if not raw:
            self._close(process)
            del self._known[process.pid]
            return
        self._known[process.pid] = process
        if process.seen < 2:
            process.looked = ran  # its looks are read now
        # An idle process says the same again, byte for byte: its entry stays as it is. Most are idle.
        if raw != process.idle or uneven:
            self._update(process, raw, scale, whole)
        # A thread that ends is counted for a moment after its last time is: then all is told a sample later.
        certain = process.moves[3] == "1" or ran == process.told
        process.told, process.ran = ran, ran if process.idle and certain else None

    def _read(self, process: Process) -> bytes:
        """What stat says now; empty when the process is gone."""
        try:
            if process.fd >= 0:
                return os.pread(process.fd, _STAT_BYTES, 0)
            with open(f"{self._root}/{process.pid}/stat", "rb", buffering=0) as file:
                raw = file.read(_STAT_BYTES)
            return raw if process.start_ticks in (-1, started_in(raw)) else b""  # else its pid is somebody else's
        except _GONE:
            return b""

    def _opened(self, pid: int) -> Process:
        return Process(pid, self._open(pid) if self._kept < self._keep_limit else -1)

    def _open(self, pid: int) -> int:
        """A descriptor to keep; -1 when the process is gone."""
        try:
            descriptor = os.open(f"{self._root}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except _GONE:
            return -1
        self._kept += 1
        return descriptor

    def _close(self, process: Process) -> None:
        self._ended.add(str(process.pid).encode())
        if process.fd >= 0:
            os.close(process.fd)
            process.fd = -1
            self._kept -= 1

    def _update(self, process: Process, raw: bytes, scale: float, whole: bool) -> None:
        # The name stands in parentheses and may itself hold parentheses, spaces and newlines: the last ")" ends it.
        end = raw.rfind(b")")
        comm = raw[raw.find(b"(") + 1 : end]
        fields = raw[end + 2 :].split(None, 22)
        started, ticks = int(fields[19]), int(fields[11]) + int(fields[12])
        if started != process.start_ticks:
            process.seen, process.start_ticks, process.whole_ticks = 0, started, 0  # another one under the same pid
            self.new += 1
        before = process.whole_ticks if whole else process.ticks
        process.cpu = (round(max(0, ticks - before) * scale, 1) or 0.0) if process.seen else None  # one 0.0 for all
        process.ticks, process.rss_pages = ticks, int(fields[21])
        if whole:
            process.whole_ticks = ticks
        # Read again at the second sample too: just after its fork a process is not yet who it is going to be.
        anew = process.seen < 2 or comm != process.comm
        if anew or fields[1] != process.parent:
            process.comm, process.parent = comm, fields[1]
            # The kernel's own threads change their names all the time, and nothing else.
            same = not anew or (process.seen == 2 and int(fields[6]) & PF_KTHREAD)
            self._identify(process, process.looks if same else self._looks(process))
        if fields[0] == b"Z":
            self._ended.add(str(process.pid).encode())
        process.seen = min(process.seen + 1, 2)
        process.idle = raw if process.cpu == 0.0 and process.seen == 2 else b""
        process.moves = (
            "null" if process.cpu is None else str(process.cpu),
            f"{process.rss_pages * PAGE_MB:.2f}",
            f'"{STATUS.get(fields[0], "idle")}"',
            str(int(fields[17])),
        )

    def _looks(self, process: Process) -> Looks:
        """Whose process it is now, and which program; nothing when it is gone."""
        folder = f"{self._root}/{process.pid}"
        try:
            user = os.stat(folder).st_uid  # the folder's owner is the effective user, always
            with open(folder + "/cmdline", "rb", buffering=0) as file:
                return Looks(user, file.read(_CMDLINE_BYTES))
        except _GONE:
            return NOTHING

    def _identify(self, process: Process, looks: Looks) -> None:
        """Write the beginning of its entry: what stays the same while it is the same program, user's and child."""
        process.looks = looks
        facts = {
            "name": process.comm.decode("utf-8", "replace"),
            "pid": process.pid,
            "startTicks": process.start_ticks,
            "user": "" if looks.user is None else self._user(looks.user),
            "cmdline": _shown(looks.cmdline),
            "ppid": int(process.parent),
        }
        process.stays = _encode(facts)[:-1]

    def _user(self, uid: int) -> str:
        if uid not in self._users:
            try:
                self._users[uid] = pwd.getpwuid(uid).pw_name
            except KeyError:
                self._users[uid] = str(uid)
        return self._users[uid]
