"""What a server can be, and the words of a service's state. Imports nothing."""

from __future__ import annotations

WAITING = "waiting"  # enrolled, first report not yet come
UP = "up"
SILENT = "silent"  # no report for three intervals, by the hub's clock

SERVER_STATES = (WAITING, UP, SILENT)

# systemd's words; other managers are mapped onto them by the agent.
ACTIVE = "active"
INACTIVE = "inactive"
FAILED = "failed"
