"""When something was, by every clock there is: how long ago that is can be told after a clock was set, and a reboot."""

from __future__ import annotations

import time
from typing import NamedTuple

from agent import host
from agent.hubclock import HubClock, since_boot


class Stamp(NamedTuple):
    """One moment. `wall` (this machine's clock) and `hub` (the hub's; None: not known then) are epoch seconds."""

    wall: float
    boot_id: str
    since_boot: float  # seconds, sleep included
    hub: float | None


def now(clock: HubClock) -> Stamp:
    """This moment."""
    return Stamp(time.time(), host.boot_id(), since_boot(), clock.known())


def age(then: Stamp, now: Stamp) -> float | None:
    """Seconds between two moments; None where the clocks contradict each other.

    Within one boot by the time since boot, which no setting moves. Across a reboot by the hub's clock where it was
    known at both moments, else by this machine's own: believed when it says that the earlier one was before this boot.
    """
    if then.boot_id and then.boot_id == now.boot_id:
        return max(0.0, now.since_boot - then.since_boot)
    least = now.since_boot if then.boot_id and now.boot_id else 0.0
    by_hub = None if then.hub is None or now.hub is None else now.hub - then.hub
    told = (by_hub, now.wall - then.wall)
    return next((passed for passed in told if passed is not None and passed >= least), None)
