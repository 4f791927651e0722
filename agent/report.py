"""The report loop: sample, send, keep what could not be sent, and send that later, behind what is new.

Of the process table it sends only what changed, where the hub said that it knows an earlier one.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from agent import stamp
from agent.backlog import Backlog
from agent.backoff import Backoff
from agent.config import Config
from agent.hub import Answer, Hub, Unreachable
from agent.hubclock import since_boot
from agent.leases import Leases
from agent.logs import log
from agent.register import REFUSED_SEC
from agent.sampler import Sample, Sampler
from agent.servicetable import ServiceTable

LEAST_SEC, MOST_SEC = 1.0, 300.0  # between two reports
MOST_LATER = 16  # reports that have waited, sent in one interval
PROMPT_SEC = 1.0  # a hub that takes longer for an answer has enough to do
WHOLE_SEC = 595.0  # then the whole table again: each 10 minutes, whether a sample is some ms early or late
TAKEN, DROPPED, KEPT, UNKNOWN = "taken", "dropped", "kept", "unknown"


class Pace:
    """When to sample: on the grid of usual intervals since the start, and more often while the hub asks for it."""

    def __init__(self, interval: float) -> None:
        self.usual = self.interval = interval
        self.began = self.due = time.monotonic()
        self.between = False  # the sample that is due is none of the usual ones

    def asked(self, answer: dict[str, Any]) -> None:
        """Take what an answer asks for: intervalSec, and gridSec where the usual interval is another."""
        interval = _seconds(answer.get("intervalSec")) or self.interval
        self.usual = max(interval, _seconds(answer.get("gridSec")) or 0.0)
        self.interval = interval

    def alone(self) -> None:
        """Nobody asks for more than usual any longer."""
        self.interval = self.usual

    def next(self) -> float:
        """The next sample's moment (time.monotonic); moments that have passed by now are left out."""
        passed = max(self.due, time.monotonic()) - self.began
        usual = _after(passed, self.usual)
        self.due = self.began + min(usual, _after(passed, self.interval))
        self.between = self.due < self.began + usual - 0.001
        return self.due


class Known:
    """Which sample's process table the hub said that it knows: the next report may tell what is other than in that."""

    def __init__(self) -> None:
        self._sample: Sample | None = None
        self._whole_at = 0.0  # when the last whole one was taken that it goes back to, in seconds since boot

    def base(self) -> Sample | None:
        """None: the next report has to be whole."""
        return self._sample if since_boot() - self._whole_at < WHOLE_SEC else None

    def heard(self, base: Any, sent: Sample | None, whole: bool) -> None:
        """Take what an answer says to a report of this sample (None: to one that has waited). Without `base` it says
        nothing: what an earlier one said still holds."""
        if base is None:
            return
        if sent is not None and base == sent.ts:
            self._sample = sent
            self._whole_at = since_boot() if whole else self._whole_at
        elif self._sample is not None and base != self._sample.ts:
            self.forget()  # that is another one than we have

    def forget(self) -> None:
        """The hub may not know it any more."""
        self._sample = None


class Reports:
    """The report loop (`run`), for a thread of its own."""

    def __init__(self, config: Config, hub: Hub, table: ServiceTable, leases: Leases, stop: threading.Event) -> None:
        self._hub = hub
        self._leases = leases
        self._stop = stop
        self._sampler = Sampler(config, table, leases)
        self._backlog = Backlog(config.state_dir / "backlog")
        self._pace = Pace(config.interval)
        self._backoff = Backoff()
        self._known = Known()
        self._send_at = 0.0
        self._reachable = True
        self._later = 1  # how many that have waited are sent in this interval

    def run(self) -> None:
        """Report until stopped: a sample each interval, whether the hub is there or not."""
        while not self._stop.is_set():
            self._report()
            between, due = self._pace.between, self._pace.next()
            if not between:
                self._send_later(due)
            self._stop.wait(due - time.monotonic())

    def _report(self) -> None:
        """Sample, and send that; else keep it, if it is one of the usual ones."""
        between, now = self._pace.between, stamp.now(self._hub.clock)
        sample = self._sampler.sample(now, between)
        if time.monotonic() >= self._send_at and self._send_new(sample) != KEPT:
            return
        self._pace.alone()
        if not between:
            self._backlog.add(sample.whole(), now)

    def _send_new(self, sample: Sample) -> str:
        news, base = self._sampler.news(), self._known.base()
        end = UNKNOWN if base is None else self._send(_ended(sample.since(base) + news.text), sample, whole=False)
        if end == UNKNOWN:
            end = self._send(_ended(sample.whole() + news.text), sample)
        if end != TAKEN:
            self._sampler.lost()
        elif news.ends:
            self._leases.told(news.ends)
        return end

    def _send_later(self, due: float) -> None:
        """Some of those that wait, spread over the time until the next sample: more each time, up to a bound, while
        the hub answers promptly. So a hub that comes back gets its agents' pasts slowly, behind what is new."""
        for left in range(self._later, 0, -1):
            if not (self._reachable and len(self._backlog)):
                return
            pause = max(0.0, due - time.monotonic()) / (left + 1) * random.uniform(0.5, 1.0)  # noqa: S311
            if self._stop.wait(pause):
                return
            waited, began = self._backlog.oldest(stamp.now(self._hub.clock)), time.monotonic()
            if waited is not None and self._send(waited + b"}") != KEPT:
                self._backlog.done()
            if not len(self._backlog):
                log.info("nothing waits any more", extra={"dropped": self._backlog.dropped()})
            if time.monotonic() - began > PROMPT_SEC or not self._reachable:
                self._later = 1
                return
        self._later = min(MOST_LATER, self._later * 2)

    def _send(self, body: bytes, sample: Sample | None = None, whole: bool = True) -> str:
        """UNKNOWN: the hub does not take it as it is, only what changed; it may take the whole."""
        try:
            answer = self._hub.report(body)
        except Unreachable as error:
            return self._wait(f"the hub is not reachable: {error}", None)
        if answer.status in (200, 202):
            self._known.heard(answer.body.get("base"), sample, whole)
            return self._taken(answer)
        if not whole and answer.status in (400, 409, 413, 422):
            self._known.forget()
            log.info("the hub asks for all processes again", extra={"answer": answer.why()})
            return UNKNOWN
        if answer.status in (400, 413, 422):
            log.error("the hub does not take a report: dropped", extra={"answer": answer.why()})
            return DROPPED
        if answer.status in (401, 403, 404):
            return self._wait(f"the hub refuses this agent: {answer.why()}", answer.retry_after or REFUSED_SEC)
        return self._wait(f"the hub cannot take a report now: {answer.why()}", answer.retry_after)

    def _taken(self, answer: Answer) -> str:
        self._backoff.reset()
        if not self._reachable:
            log.info("reporting again", extra={"waiting": len(self._backlog)})
        self._reachable = True
        self._pace.asked(answer.body)
        return TAKEN

    def _wait(self, why: str, seconds: float | None) -> str:
        if self._reachable:
            log.warning("reports are kept for later", extra={"why": why})
        self._reachable = False
        self._known.forget()
        self._later = 1
        self._send_at = time.monotonic() + (self._backoff.next() if seconds is None else seconds)
        return KEPT


def _ended(report: bytes) -> bytes:
    """A report's JSON with its end, about to be sent."""
    return report + f',"sentAt":{time.time():.3f}}}'.encode()


def _seconds(asked: Any) -> float | None:
    if isinstance(asked, (int, float)) and not isinstance(asked, bool):
        return min(MOST_SEC, max(LEAST_SEC, float(asked)))
    return None


def _after(passed: float, interval: float) -> float:
    """The first whole number of intervals after so many seconds; what is due is not due again for a rounding error."""
    return interval * (int(passed / interval + 1e-6) + 1)
