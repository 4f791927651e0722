"""The report loop: sample, keep, send. What could not be sent is kept, oldest dropped first."""

from __future__ import annotations

import json
import os
import threading
import time
import zlib
from collections import deque
from typing import Any, NamedTuple

from agent import FEATURES, __version__, choose, host
from agent.backoff import Backoff
from agent.config import Config
from agent.hub import Answer, Hub, Unreachable
from agent.leases import Leases
from agent.logs import log
from agent.proctable import TICKS_PER_SEC, ProcTable
from agent.register import REFUSED_SEC
from agent.servicetable import ServiceTable, told

KEPT_REPORTS = 30
SERVICES_EVERY = 300.0
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class Part(NamedTuple):
    """What a report has in it that must not be lost with it: the service list, the ends of these commands' leases."""

    services: bool
    ends: list[str]


class Sampler:
    """Builds reports; sequence numbers grow by one over the run named by `run_id`."""

    def __init__(self, config: Config, table: ServiceTable, leases: Leases) -> None:
        self._table = table
        self._leases = leases
        self._processes = ProcTable()
        self._host = host.HostReadings()
        self._seq = 0
        self._services_told: list[dict[str, Any]] | None = None
        self._services_told_at = 0.0
        self._fixed = {
            "agentId": config.agent_id,
            "runId": os.urandom(8).hex(),
            "ticksPerSec": TICKS_PER_SEC,
            "version": __version__,
            "allow": config.allow.entries,
            "features": FEATURES,
            "alerts": [],
            **host.identity(),
        }

    def sample(self) -> tuple[bytes, Part]:
        """A report of now as JSON but for its end, where sentAt goes; and what it must not be lost with."""
        self._seq += 1
        taken = time.time()
        processes = self._processes.sample()
        self._table.refresh({p.pid: p.start_ticks for p in processes})
        chosen = choose.busiest(processes, self._table.main_pids())
        report = {
            **self._fixed,
            "ts": round(taken, 3),
            "seq": self._seq,
            "procsTotal": len(processes),
            "load": self._host.load(),
            **host.uptime(),
            **host.time_zone(),
            "managers": self._table.managers(),
        }
        services = self._services_due()
        if services is not None:
            report["services"] = services
        leases, ends = self._leases.wire()
        if leases or self._seq == 1:
            report["leases"] = leases
        text = _encode(report)[:-1] + ',"procs":[' + ",".join(p.text for p in chosen) + "]"
        return text.encode("utf-8", "replace"), Part(services is not None, ends)

    def services_lost(self) -> None:
        """A report with the service list did not arrive: the next one has it again."""
        self._services_told = None

    def _services_due(self) -> list[dict[str, Any]] | None:
        services = self._table.wire()
        now = time.monotonic()
        same = self._services_told is not None and told(services) == self._services_told
        if same and now - self._services_told_at < SERVICES_EVERY:
            return None
        self._services_told, self._services_told_at = told(services), now
        return services


class Kept:
    """Reports not yet taken by the hub, packed, the oldest first; `dropped` counts those there was no room for."""

    def __init__(self, limit: int = KEPT_REPORTS) -> None:
        self._reports: deque[tuple[bytes, Part]] = deque(maxlen=limit)
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._reports)

    def add(self, report: bytes, part: Part) -> None:
        """Keep a report; the oldest gives way when there are too many."""
        if self._reports:  # it has to wait: only now is packing worth its while
            waiting, its_part = self._reports.pop()
            self._reports.append((zlib.compress(waiting, 1) if waiting[:1] == b"{" else waiting, its_part))
        self.dropped += len(self._reports) == self._reports.maxlen
        self._reports.append((report, part))

    def oldest(self) -> bytes:
        """The oldest report as JSON, with this moment as its sentAt."""
        report = self._reports[0][0]
        whole = report if report[:1] == b"{" else zlib.decompress(report)
        return whole + f',"sentAt":{time.time():.3f}}}'.encode()

    def done(self) -> Part:
        """The oldest one is dealt with; returns what it had."""
        return self._reports.popleft()[1]


class Reports:
    """The report loop (`run`), for a thread of its own."""

    def __init__(self, config: Config, hub: Hub, table: ServiceTable, leases: Leases, stop: threading.Event) -> None:
        self._hub = hub
        self._leases = leases
        self._stop = stop
        self._sampler = Sampler(config, table, leases)
        self._kept = Kept()
        self._interval = config.interval
        self._backoff = Backoff()
        self._send_at = 0.0
        self._reachable = True

    def run(self) -> None:
        """Report until stopped: a sample each interval, whether the hub is there or not."""
        due = time.monotonic()
        while not self._stop.is_set():
            self._kept.add(*self._sampler.sample())
            self._send_kept()
            due = max(due + self._interval, time.monotonic())
            self._stop.wait(due - time.monotonic())

    def _send_kept(self) -> None:
        while len(self._kept) and time.monotonic() >= self._send_at and not self._stop.is_set():
            try:
                answer = self._hub.report(self._kept.oldest())
            except Unreachable as error:
                self._wait(f"the hub is not reachable: {error}", None)
                return
            self._answered(answer)

    def _answered(self, answer: Answer) -> None:
        if answer.status in (200, 202):
            self._taken(answer)
        elif answer.status in (400, 413, 422):
            log.error("the hub does not take a report: dropped", extra={"answer": answer.why()})
            if self._kept.done().services:
                self._sampler.services_lost()
        elif answer.status in (401, 403, 404):
            self._wait(f"the hub refuses this agent: {answer.why()}", answer.retry_after or REFUSED_SEC)
        else:
            self._wait(f"the hub cannot take a report now: {answer.why()}", answer.retry_after)

    def _taken(self, answer: Answer) -> None:
        ends = self._kept.done().ends
        if ends:
            self._leases.told(ends)
        self._backoff.reset()
        if not self._reachable:
            log.info("reporting again", extra={"waiting": len(self._kept), "dropped": self._kept.dropped})
            if self._kept.dropped:
                self._sampler.services_lost()
            self._kept.dropped = 0
        self._reachable = True
        asked = answer.body.get("intervalSec")
        if isinstance(asked, (int, float)) and not isinstance(asked, bool):
            self._interval = min(300.0, max(1.0, float(asked)))

    def _wait(self, why: str, seconds: float | None) -> None:
        if self._reachable:
            log.warning("reports are kept for later", extra={"why": why})
        self._reachable = False
        self._send_at = time.monotonic() + (self._backoff.next() if seconds is None else seconds)
