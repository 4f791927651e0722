"""An incident's states and the moves between them, and what else of alerts is a word. Imports nothing."""

from __future__ import annotations

OPEN, ACKNOWLEDGED, CLOSED = "open", "acknowledged", "closed"
STATES = (OPEN, ACKNOWLEDGED, CLOSED)
LIVE = (OPEN, ACKNOWLEDGED)  # those that are not over
ALLOWED_FROM = {ACKNOWLEDGED: (OPEN,), OPEN: (ACKNOWLEDGED,), CLOSED: LIVE}

WARNING, CRITICAL = "warning", "critical"
SEVERITIES = (WARNING, CRITICAL)  # the mildest first

# Why an incident closed
CLEARED, RULE_OFF, RULE_DELETED, BY_HAND, SUBJECT_GONE = "cleared", "rule off", "rule deleted", "by hand", "gone"
CLOSE_REASONS = (CLEARED, RULE_OFF, RULE_DELETED, BY_HAND, SUBJECT_GONE)

# What stands in an incident's timeline
OPENED, WORSE, NO_DATA, DATA_AGAIN = "opened", "worse", "no data", "data again"
JOINED, GREW = "joined", "grew"  # it became a member of one of many servers; that one got more of them
TAKEN, GIVEN_BACK, ASSIGNED, COMMENTED = "acknowledged", "unacknowledged", "assigned", "commented"
PARTLY = "partly"  # somebody moved only some members of one of many servers: its facts say which move, and how many
SNOOZED, WOKEN, SILENCED, UNSILENCED, FLAPPING = "snoozed", "woken", "silenced", "unsilenced", "flapping"
NOTIFIED, NOT_NOTIFIED, ESCALATED = "notified", "not notified", "escalated"
ACTED, NOT_ACTED, ACT_ENDED, GAVE_UP = "acted", "not acted", "act ended", "gave up"  # of a remedy
ENDED = "closed"
ENTRIES = (
    OPENED, WORSE, NO_DATA, DATA_AGAIN, JOINED, GREW, TAKEN, GIVEN_BACK, ASSIGNED, PARTLY, COMMENTED, SNOOZED, WOKEN,
    SILENCED, UNSILENCED, FLAPPING, NOTIFIED, NOT_NOTIFIED, ESCALATED, ACTED, NOT_ACTED, ACT_ENDED, GAVE_UP,
    ENDED,
)  # fmt: skip
