"""Where the lab lives and what its parts are called: one prefix, so that a stale lab can be found and removed."""

import os
import subprocess
from pathlib import Path

PREFIX = "pmlab"
SWITCH = f"{PREFIX}-switch"  # a network namespace
BRIDGE = f"{PREFIX}0"
HUB_CABLE = f"{PREFIX}hub"
HUB_ADDRESS, NETWORK = "10.231.0.1", "10.231.0.0/24"
LOCK_FILE = Path("/run/lock/pmonitor-lab.lock")
CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("PMONITOR_LAB_DIR", CHECKOUT / "var" / "lab"))
MOST_SERVERS = 200


class LabError(Exception):
    """The lab cannot do what was asked of it; says which program or server, and what it said."""


def server_address(index: int) -> str:
    """The IPv4 address of the lab's server number `index` (1 is the first)."""
    return f"10.231.0.{10 + index}"


def call(*argv: str | Path, stdin: str | None = None) -> str:
    """Run a program of this machine to its end; its output, or LabError with what it complained of."""
    done = subprocess.run([str(part) for part in argv], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        complaint = (done.stderr or done.stdout).strip()
        raise LabError(f"{' '.join(map(str, argv))}: exit {done.returncode}: {complaint[-2000:]}")
    return done.stdout
