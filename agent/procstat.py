"""What /proc/<pid>/stat says of one process (proc_pid_stat(5))."""

from __future__ import annotations


def start_ticks(pid: int, root: str = "/proc") -> int | None:
    """When the process started, in clock ticks since boot; None when there is no such process."""
    try:
        with open(f"{root}/{pid}/stat", "rb") as file:
            return started_in(file.read(1024))
    except OSError:
        return None


def started_in(stat: bytes) -> int | None:
    """The same, out of the file's text; None when that is no such text."""
    # The name before stands in parentheses, and may itself hold some.
    fields = stat[stat.rfind(b")") + 2 :].split(None, 20)
    return int(fields[19]) if len(fields) > 19 else None
