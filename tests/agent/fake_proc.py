"""A folder of processes as /proc has them."""

from __future__ import annotations

from pathlib import Path


def write_stat(root: Path, pid: int, start: int, ticks: int, name: str = "app", flags: int = 0) -> None:
    """A process that has used so many ticks; written again in place, as an open descriptor of /proc reads anew."""
    folder = root / str(pid)
    folder.mkdir(exist_ok=True)
    fields = [
        "S",
        "1",
        *["0"] * 4,
        str(flags),
        *["0"] * 4,
        str(ticks),
        "0",
        "0",
        "0",
        "20",
        "0",
        "1",
        "0",
        str(start),
        "0",
        "100",
        *["0"] * 20,
    ]
    (folder / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
    (folder / "cmdline").write_bytes(name.encode() + b"\0--one\0")
