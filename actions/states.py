"""A command's states and the moves between them, as data. Imports nothing; only lifecycle.py makes moves."""

from __future__ import annotations

QUEUED = "queued"
DELIVERED = "delivered"
RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"
UNKNOWN = "unknown"
REFUSED = "refused"
CANCELLED = "cancelled"
EXPIRED = "expired"

STATES = (QUEUED, DELIVERED, RUNNING, SUCCEEDED, FAILED, UNKNOWN, REFUSED, CANCELLED, EXPIRED)
ACTIVE = (QUEUED, DELIVERED, RUNNING)  # one of these at a time on a service
ENDED = (SUCCEEDED, FAILED, REFUSED, CANCELLED, EXPIRED)  # no way on

# new state -> the states it may come from
ALLOWED_FROM: dict[str, tuple[str, ...]] = {
    QUEUED: (DELIVERED,),  # no `running` within the lease, delivery deadline not yet passed
    DELIVERED: (QUEUED,),
    RUNNING: (DELIVERED,),
    SUCCEEDED: (RUNNING, UNKNOWN),
    FAILED: (RUNNING, UNKNOWN),
    UNKNOWN: (RUNNING,),
    REFUSED: (DELIVERED, QUEUED),
    CANCELLED: (QUEUED,),
    EXPIRED: (QUEUED, DELIVERED),  # a lease that ends after the delivery deadline expires at once
}

START, STOP, RESTART, RELOAD = "start", "stop", "restart", "reload"
SIGNAL, RENICE = "signal", "renice"
SERVICE_VERBS = (START, STOP, RESTART, RELOAD)
PROCESS_VERBS = (SIGNAL, RENICE)
EXTEND, KEEP = "extend", "keep"  # about a service that is stopped for a time
LEASE_VERBS = (EXTEND, KEEP)
VERBS = (*SERVICE_VERBS, *PROCESS_VERBS, *LEASE_VERBS)

# A lease: a service that is stopped for a time, and that its agent starts again. In the agent's own words.
HELD, STARTING = "held", "starting"
STARTED, BOOTED, OTHERS, COMMAND, KEPT, NOT_STARTED, LOST = (
    "started", "booted", "others", "command", "kept", "failed", "lost",
)  # fmt: skip
LEASE_OPEN = (HELD, STARTING)
LEASE_ENDED = (STARTED, BOOTED, OTHERS, COMMAND, KEPT, NOT_STARTED, LOST)
