"""Which processes are left out of a report that cannot hold all."""

from __future__ import annotations

from agent.choose import busiest
from agent.proctable import Process


def made(pid: int, cpu: float | None, pages: int) -> Process:
    process = Process(pid, -1)
    process.cpu, process.rss_pages = cpu, pages
    return process


def test_the_least_cpu_then_the_least_memory_is_left_out() -> None:
    processes = [made(1, 0.0, 10), made(2, 5.0, 1), made(3, None, 20), made(4, 0.0, 30), made(5, 0.0, 30)]
    assert [p.pid for p in busiest(processes, set(), 3)] == [2, 4, 5]
    assert [p.pid for p in busiest(processes, set(), 2)] == [2, 4]


def test_a_watched_process_is_never_left_out() -> None:
    processes = [made(pid, 50.0, 1000) for pid in range(2, 700)] + [made(1000, 0.0, 0)]
    kept = [p.pid for p in busiest(processes, {1000})]
    assert len(kept) == 500
    assert kept[-1] == 1000


def test_all_are_kept_when_they_fit() -> None:
    processes = [made(pid, 0.0, 0) for pid in range(500)]
    assert busiest(processes, set()) == processes
