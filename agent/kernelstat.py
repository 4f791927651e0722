"""/proc/stat, read once for each report: where there are many CPUs, the kernel takes a while to tell it."""

from __future__ import annotations

from agent.kept import Kept
from agent.logs import log

CPU_TIMES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")  # guests' is in user's


class KernelStat:
    """What the kernel counts, as of the last `read`."""

    def __init__(self, path: str = "/proc/stat") -> None:
        self._file = Kept(path)
        self._text = b""
        self._failing = False

    def read(self) -> None:
        """Take the numbers of now; where that fails, they are not known until it works again."""
        try:
            self._text = self._file.read()
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.warning("the kernel's counts cannot be read", extra={"error": str(error)})
            self._failing, self._text = True, b""

    def cpu_times(self) -> dict[str, int]:
        """What all CPUs together have spent on what, in clock ticks since boot; raises ValueError when not told."""
        line = self._text.partition(b"\n")[0].split()
        if line[:1] != [b"cpu"]:
            raise ValueError("the kernel does not tell what the CPUs do")
        return {CPU_TIMES[place]: int(ticks) for place, ticks in enumerate(line[1 : len(CPU_TIMES) + 1])}

    def number(self, name: str) -> int | None:
        """One of the single numbers, such as `btime`; None when it is not told."""
        told = self._text.partition(f"\n{name} ".encode())[2].split(None, 1)
        return int(told[0]) if told else None
