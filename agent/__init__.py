"""The agent: what runs on every monitored server. It imports nothing of the hub; PROTOCOL.md is all they share."""

__version__ = "0.5.0"
# What this agent can do that older ones cannot; the hub offers only what is named here.
FEATURES: tuple[str, ...] = ("signals", "reads", "leases", "probe")
