"""The process table of a sample as JSON: whole, or only what is other than in an earlier sample's.

What stays of a process and what moves are texts of their own, made when its stat changed: most of them are the same
objects as in the sample before, so that comparing two tables is cheap. PROTOCOL.md, "Only what changed", has the rules.
"""

from __future__ import annotations

from agent.proctable import Moves, Process

MOVING = ("cpu", "memMB", "status", "threads")  # as in Moves


class Table:
    """The processes of one sample, which stay as they were when the next one is taken."""

    def __init__(self, processes: list[Process]) -> None:
        self._stays = [process.stays for process in processes]
        self._moves = [process.moves for process in processes]

    def whole(self) -> str:
        """A report's `procs`, JSON."""
        return f"[{self._entries(range(len(self._stays)))}]"

    def since(self, base: Table) -> str:
        """A report's `changes` to an earlier table, JSON."""
        gone, new, before = self._matched(base)
        moved = [
            place
            for place, now in enumerate(self._moves)
            if (then := before[place]) is not now and then is not None and then != now
        ]
        told = [self._moves[place] for place in moved]
        columns = (f'"{name}":[{",".join([moves[part] for moves in told])}]' for part, name in enumerate(MOVING))
        return (
            f'{{"count":{len(self._stays)},"gone":{_places(gone)},"new":{_places(new)},'
            f'"procs":[{self._entries(new)}],"moved":{_places(moved)},{",".join(columns)}}}'
        )

    def _matched(self, base: Table) -> tuple[list[int], list[int], list[Moves | None]]:
        """Places in the base of those that are gone, places here of new ones, and for each place what moves as it was
        in the base (None: a new one)."""
        if self._stays == base._stays:
            return [], [], list(base._moves)
        here, there = set(self._stays), set(base._stays)
        if [stays for stays in self._stays if stays in there] != [stays for stays in base._stays if stays in here]:
            return list(range(len(base._stays))), list(range(len(self._stays))), [None] * len(self._stays)
        gone = [place for place, stays in enumerate(base._stays) if stays not in here]
        new = [place for place, stays in enumerate(self._stays) if stays not in there]
        before: list[Moves | None] = [base._moves[place] for place, stays in enumerate(base._stays) if stays in here]
        for place in new:
            before.insert(place, None)
        return gone, new, before

    def _entries(self, places: range | list[int]) -> str:
        return ",".join([_entry(self._stays[place], *self._moves[place]) for place in places])


def _entry(stays: str, cpu: str, mem: str, status: str, threads: str) -> str:
    return f'{stays},"cpu":{cpu},"memMB":{mem},"status":{status},"threads":{threads}}}'


def _places(places: list[int]) -> str:
    return f"[{','.join(map(str, places))}]"
