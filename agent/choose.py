"""Which processes a report holds when there are more than fit."""

from __future__ import annotations

from heapq import nsmallest

from agent.proctable import Process

LIMIT = 500


def busiest(processes: list[Process], watched: set[int], limit: int = LIMIT) -> list[Process]:
    """At most `limit` processes, by pid: those with the least CPU, then the least memory, are left out first.

    A watched pid (the main process of a service) is never left out while anything else is in.
    """
    if len(processes) <= limit:
        return processes
    too_many = len(processes) - limit
    ranks = [(p.pid in watched, p.cpu or 0.0, p.rss_pages, -p.pid) for p in processes]
    left_out = {-rank[-1] for rank in nsmallest(too_many, ranks)}
    return [p for p in processes if p.pid not in left_out]
