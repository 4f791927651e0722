"""How long a command takes from being asked for to its agent's hands, while many other agents wait.

    python bench/command_latency.py [--agents 1000] [--commands 200]

Starts a PostgreSQL and a web process of its own on loopback. Three kinds are measured in turns, in one run, so that the
ratios mean something whatever the machine is doing: the floor (a row and a NOTIFY committed, until a bare LISTEN sees
it), a command queued in the database until its agent's long-poll has it, and the same asked for by POST.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pmonitor.embedded import Embedded  # noqa: E402


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--agents", type=int, default=1000)
    arguments.add_argument("--commands", type=int, default=200, help="of each of the three kinds")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="pmonitor-bench-") as folder:
        database = Embedded(Path(folder) / "data")
        try:
            _measure(database.start(), given.agents, given.commands)
        finally:
            database.stop()


def _measure(url: str, agents: int, commands: int) -> None:
    os.environ.update(
        DATABASE_URL=url,
        SECRET_KEY=secrets.token_urlsafe(50),
        LIMIT_ACTIONS="100000",
        LOG_LEVEL="WARNING",
    )
    _manage("migrate", "-v0").wait()
    port = _free_port()
    web = _manage("serve", "--no-worker", "--port", str(port))
    try:
        _wait_for(port)
        numbers = {"--port": port, "--web-pid": web.pid, "--agents": agents, "--commands": commands}
        options = [str(word) for pair in numbers.items() for word in pair]
        sys.exit(subprocess.run([sys.executable, "bench/command_load.py", *options], cwd=ROOT).returncode)
    finally:
        web.send_signal(signal.SIGTERM)
        web.wait(15)


def _manage(*words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "manage.py", *words], cwd=ROOT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    for _attempt in range(150):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise SystemExit("the web process does not listen")


if __name__ == "__main__":
    main()
