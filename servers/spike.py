"""Which processes account for a rise: a stretch of time against the equally long one before it. Pure: no database.

What a process used in a stretch is its mean over all samples of the stretch: where it was not, it used nothing; samples
that tell no value of it are left out of its mean. Its part of the rise is its mean in the stretch less that before.
CPU is in percent of one core, memory in MB. Processes of one name are one group.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct, field

CPU, MEM = "cpu", "mem"
METRICS = (CPU, MEM)
LEAST = {CPU: 5.0, MEM: 10.0}  # percent of one core, MB: less is no rise


class Key(NamedTuple):
    """A process: how many boots of its server are known to be before it, its pid and its start ticks."""

    boot: int
    pid: int
    start_ticks: int | None


class What(NamedTuple):
    """What a process is called."""

    name: str
    user: str
    cmdline: str


class Use(Struct):
    """What a process used in one stretch: the sum of its values, and in how many samples they are known or not."""

    total: float
    known: int
    unknown: int
    first: datetime
    last: datetime

    def add(self, other: Use) -> None:
        """What it used in other samples of the same stretch."""
        self.total, self.known, self.unknown = (
            self.total + other.total, self.known + other.known, self.unknown + other.unknown,
        )  # fmt: skip
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)


class Stretch(Struct):
    """One of the two stretches as its samples tell it."""

    samples: int = 0
    first: datetime | None = None
    last: datetime | None = None
    cut: int = 0  # samples that leave processes out
    most: int = 0  # so many processes there were at most in one of these
    uses: dict[Key, Use] = field(default_factory=dict)

    def see(self, at: datetime, total: int, told: int) -> None:
        """A sample, of how many processes it is, and how many of them it tells."""
        self.samples += 1
        self.first, self.last = min(self.first or at, at), max(self.last or at, at)
        if total > told:
            self.cut, self.most = self.cut + 1, max(self.most, total)

    def used(self, key: Key, use: Use) -> None:
        """What a process used in some of the samples."""
        if key in self.uses:
            self.uses[key].add(use)
        else:
            self.uses[key] = use

    def mean(self, key: Key) -> float | None:
        """None where no sample tells, neither a value nor that it was not there."""
        use = self.uses.get(key)
        counted = self.samples - (use.unknown if use else 0)
        return (use.total if use else 0.0) / counted if counted > 0 else None


class Part(Struct):
    """One process's part; before, now: its means, None where they are not known."""

    key: Key
    what: What
    before: float | None
    now: float | None
    known: bool  # whether any sample tells a value of it
    new: bool  # not there before
    gone: bool  # not there at the end
    first: datetime
    last: datetime

    @property
    def change(self) -> float | None:
        """By how much its mean went up."""
        return None if self.before is None or self.now is None else self.now - self.before


class Group(Struct):
    """The processes of one name, what went up most first; sums of those whose change is known."""

    name: str
    parts: list[Part]
    before: float | None
    now: float | None
    new: int
    gone: int

    @property
    def change(self) -> float | None:
        """By how much all of them went up."""
        return None if self.before is None or self.now is None else self.now - self.before


class Host(NamedTuple):
    """What the server's own readings say of both stretches: CPU in percent of one core, or MB; None: not known."""

    before: float | None
    now: float | None

    @property
    def rise(self) -> float | None:
        """By how much its mean went up."""
        return None if self.before is None or self.now is None else self.now - self.before


class Explained(Struct):
    """The groups, what went up most first, beside what the server as a whole did."""

    metric: str
    host: Host
    before: Stretch
    now: Stretch
    groups: list[Group]

    @property
    def added(self) -> float | None:
        """By how much all processes together went up; None where a stretch is not known."""
        changes = [group.change for group in self.groups if group.change is not None]
        return sum(changes) if self.before.samples and self.now.samples else None

    @property
    def rise(self) -> float | None:
        """By how much the server went up, by its own readings, or else by its processes."""
        return self.added if self.host.rise is None else self.host.rise

    @property
    def rose(self) -> bool:
        """Whether there is a rise to explain."""
        return self.rise is not None and self.rise >= LEAST[self.metric]

    @property
    def unknown(self) -> int:
        """Of how many processes no sample tells a value."""
        return sum(not part.known for group in self.groups for part in group.parts)

    def share(self, change: float | None) -> float | None:
        """The percentage of the rise; None where there is none."""
        return 100 * change / self.rise if self.rose and self.rise and change is not None else None

    @property
    def explained(self) -> float | None:
        """The percentage of the server's rise that its processes account for."""
        return None if self.host.rise is None else self.share(self.added)


def explain(metric: str, before: Stretch, now: Stretch, whats: Mapping[Key, What], host: Host) -> Explained:
    """Rank what processes added; whats: of each process in one of the stretches."""
    by_name: dict[str, list[Part]] = {}
    for key in before.uses | now.uses:
        by_name.setdefault(whats[key].name, []).append(_part(key, whats[key], before, now))
    groups = [_group(name, parts) for name, parts in by_name.items()]
    return Explained(metric, host, before, now, sorted(groups, key=_rank))


def _part(key: Key, what: What, before: Stretch, now: Stretch) -> Part:
    uses = [stretch.uses[key] for stretch in (before, now) if key in stretch.uses]
    last = max(use.last for use in uses)
    return Part(
        key, what, before.mean(key), now.mean(key),
        known=any(use.known for use in uses),
        new=bool(before.samples) and key not in before.uses,
        gone=now.last is not None and last < now.last,
        first=min(use.first for use in uses),
        last=last,
    )  # fmt: skip


def _group(name: str, parts: list[Part]) -> Group:
    known = [part for part in parts if part.known]
    before = [part for part in known if part.change is not None]
    sums = _sum(before, "before"), _sum(before or known, "now")
    new, gone = sum(part.new for part in parts), sum(part.gone for part in parts)
    return Group(name, sorted(parts, key=_rank), *sums, new, gone)


def _sum(parts: list[Part], name: str) -> float | None:
    values = [value for part in parts if (value := getattr(part, name)) is not None]
    return sum(values) if values else None


def _rank(one: Part | Group) -> tuple[bool, float, float]:
    """What went up most comes first; where nothing is known of before, what used most."""
    change, now = one.change, one.now or 0.0
    return change is None, -(change or 0.0), -now
