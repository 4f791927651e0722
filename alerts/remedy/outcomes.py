"""What a rule may do about an incident, how that ends, and why it does not: words as data. Imports nothing of ours."""

from __future__ import annotations

RESTART, START, ROLLOUT = "restart", "start", "rollout"  # the last: a restart, as a rollout of one server
ACTS = (RESTART, START, ROLLOUT)
VERB_OF = {RESTART: "restart", START: "start", ROLLOUT: "restart"}  # the command's

SUCCEEDED, FAILED, UNKNOWN = "succeeded", "failed", "unknown"  # of what was asked for
HELD, GAVE_UP = "held", "gave up"  # nothing was asked for
OUTCOMES = (SUCCEEDED, FAILED, UNKNOWN, HELD, GAVE_UP)

# Why nothing is asked for
GROUPED, SILENCED, SNOOZED, TAKEN, SILENT = "grouped", "silenced", "snoozed", "taken", "silent"
NO_SERVICE, RIGHTS, PROTECTED, REFUSED = "no service", "rights", "protected", "refused"
WHY = (GROUPED, SILENCED, SNOOZED, TAKEN, SILENT, NO_SERVICE, RIGHTS, PROTECTED, REFUSED)
