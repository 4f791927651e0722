"""The hub's time as this machine can know it: from the hub's answers and the time since boot, never the local clock."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

_DATE_HEADER_COARSENESS = 1.0  # seconds a Date header may lag; assuming it later can only stop a command, not start one


def parse(text: object) -> float:
    """Epoch seconds of an ISO 8601 time with a zone; raises ValueError for anything else."""
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not a time")  # noqa: TRY004 - one error for every wrong value
    try:
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith(("Z", "z")) else text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time") from error
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.timestamp()


def iso(epoch: float) -> str:
    """An epoch second as ISO 8601 UTC with milliseconds."""
    return datetime.fromtimestamp(epoch, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def since_boot() -> float:
    """Seconds since boot, sleep included: no clock setting moves it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class HubClock:
    """Knows the offset from this machine's boot clock to the hub's time."""

    def __init__(self) -> None:
        self._offset: float | None = None

    def learn(self, server_time: object, date_header: str | None) -> None:
        """Take the newest answer's serverTime (ISO 8601), else its Date header; wrong ones are passed over."""
        try:
            self._offset = parse(server_time) - since_boot()
        except ValueError:
            self._learn_date(date_header)

    def _learn_date(self, header: str | None) -> None:
        try:
            moment = parsedate_to_datetime(header or "")
        except (TypeError, ValueError):  # TypeError is what Python 3.9 raises
            return
        told = moment.timestamp()
        # A whole second cannot correct what is known better: only a real difference counts.
        if self._offset is None or not told - 0.5 <= self.now() <= told + 2 * _DATE_HEADER_COARSENESS:
            self._offset = told + _DATE_HEADER_COARSENESS - since_boot()

    def known(self) -> float | None:
        """The hub's time in epoch seconds; None before any answer."""
        return None if self._offset is None else since_boot() + self._offset

    def now(self) -> float:
        """The hub's time in epoch seconds; before any answer, this machine's own."""
        known = self.known()
        return time.time() if known is None else known
