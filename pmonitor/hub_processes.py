"""The processes a quickstart hub is made of: how each is started, and how it is known to be ready."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pmonitor import addresses, standalone
from pmonitor.supervise import Child, spawn

CHECKOUT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, str(CHECKOUT / "manage.py")]
WEB_READY_SEC = 60.0


def run_command(*words: str) -> int:
    """Run a command of manage.py, its output on the terminal; returns its exit code."""
    process = spawn([*MANAGE, *words], os.environ)
    try:
        return process.wait()
    finally:
        if process.poll() is None:  # interrupted
            process.terminate()
            process.wait()


def web(host: str, port: int) -> Child:
    """Web and worker; on our terminal they say only what somebody should look at."""
    command = [*MANAGE, "serve", "--host", host, "--port", str(port)]
    return Child("Web", command, lambda: {"LOG_LEVEL": "WARNING", **os.environ})


def wait_for_health(web: Child, host: str, port: int) -> bool:
    """Wait until /healthz answers 200; False when web ended instead, or after a minute."""
    deadline = time.monotonic() + WEB_READY_SEC
    address = urlsplit(addresses.url(host, port)).netloc
    while time.monotonic() < deadline and web.process is not None and web.process.poll() is None:
        if _is_healthy(address):
            return True
        time.sleep(0.05)
    return False


def agent(url: str, data_dir: Path) -> Child:
    """This machine's agent, which may act on every service: who starts quickstart owns the machine."""
    state = data_dir / "agent"
    state.mkdir(mode=0o700, exist_ok=True)

    def environment() -> Mapping[str, str]:
        # A fresh key each time; the agent uses it only when it has no token.
        key = _printed("enrolment_key")
        ours = {"API": url, "AGENT_ID": agent_id(), "ENROLMENT_KEY": key, "STATE_DIR": str(state), "ALLOW": "*:*"}
        return {**_without_secrets(), **ours}

    # No settings file: an agent installed here may have its own, for another hub.
    command = [sys.executable, "-m", "agent", "--config", os.devnull]
    return Child("Agent", command, environment, cwd=CHECKOUT, log=data_dir / "agent.log")


def agent_id() -> str:
    """The short host name, in the letters an agent's id may have."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname().split(".")[0])[:64] or "this-machine"


def allow_own_names(host: str) -> None:
    """Let browsers use this machine's names and addresses, when it listens for others and nothing else is set."""
    if not addresses.is_loopback(host):
        os.environ.setdefault("ALLOWED_HOSTS", ",".join([*addresses.own_names(), host]))


def tell_own_address(host: str, port: int) -> None:
    """Let links in notices lead to where it serves, unless somebody says what it is called or reached at."""
    if not (standalone.is_set("HUB_URL") or standalone.is_set("ALLOWED_HOSTS")):  # names: a proxy may stand before it
        here = addresses.url if addresses.is_loopback(host) else addresses.url_for_servers
        os.environ["HUB_URL"] = here(host, port)


def _is_healthy(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _printed(*words: str) -> str:
    return subprocess.run([*MANAGE, *words], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _without_secrets() -> dict[str, str]:
    """The agent needs none of the hub's secrets."""
    secret = {"DATABASE_URL", "SECRET_KEY", "PMONITOR_ADMIN_PASSWORD", "REDIS_URL"}
    return {name: value for name, value in os.environ.items() if name not in secret}
