"""The agent's settings: the environment, then a file of NAME=value lines. Every wrong value is named."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from agent import grants
from agent.allow import Allow

DEFAULT_FILE = Path("/etc/pmonitor/agent.env")
AGENT_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")


class ConfigError(Exception):
    """Some settings are wrong; `problems` has one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Config(NamedTuple):
    """Checked settings; `interval` and `settle_sec` in seconds."""

    api: str
    agent_id: str
    agent_token: str
    enrolment_key: str
    state_dir: Path
    ca_file: str
    interval: float
    settle_sec: float
    allow: Allow
    protect: tuple[str, ...]  # patterns of process names, besides the agent's own
    supervisor_socket: str
    by_sudo: bool
    logs: tuple[str, ...]  # patterns of services whose log the hub may read


def load(environ: Mapping[str, str], path: Path | None = None) -> Config:
    """Read the settings; `path` is the file given by --config, else the default file where there is one.

    Raises ConfigError naming every wrong value.
    """
    problems: list[str] = []
    values = {**_file_values(path, environ, problems), **{k: v for k, v in environ.items() if v}}
    allow = _allow(values.get("ALLOW", ""), problems)
    config = Config(
        api=_api(values.get("API", ""), problems),
        agent_id=_agent_id(values.get("AGENT_ID") or _short_hostname(), problems),
        agent_token=values.get("AGENT_TOKEN", ""),
        enrolment_key=values.get("ENROLMENT_KEY", ""),
        state_dir=Path(values.get("STATE_DIR") or "/var/lib/pmonitor-agent"),
        ca_file=_ca_file(values.get("CA_FILE", ""), problems),
        interval=_seconds(values, "INTERVAL", 10, 1, 300, problems),
        settle_sec=_seconds(values, "SETTLE_SEC", 5, 0, 60, problems),
        allow=allow,
        protect=tuple(values.get("PROTECT", "").split()),
        supervisor_socket=values.get("SUPERVISOR_SOCKET", ""),
        by_sudo=_by_sudo(values.get("ACT_BY", ""), allow, problems),
        logs=tuple(values.get("LOGS", "*").split()),
    )
    if problems:
        raise ConfigError(problems)
    return config


def _short_hostname() -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname().split(".")[0])[:64]


def _file_values(path: Path | None, environ: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    if path is None and not DEFAULT_FILE.exists():
        return {}
    if path is None and "API" in environ and not os.access(DEFAULT_FILE, os.R_OK):
        return {}  # it is root's, who gave it as the unit's environment
    try:
        text = (path or DEFAULT_FILE).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{path or DEFAULT_FILE} cannot be read: {error}")
        return {}
    return _parse(text, str(path or DEFAULT_FILE), problems)


def _parse(text: str, where: str, problems: list[str]) -> dict[str, str]:
    """NAME=value lines as systemd's EnvironmentFile has them: comments, blank lines, optional quotes."""
    values: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        name, equals, value = line.partition("=")
        if not equals or not re.match(r"^[A-Za-z_][A-Za-z0-9_]*$", name.strip()):
            problems.append(f"{where} line {number} is not NAME=value")
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        values[name.strip()] = value
    return values


def _api(text: str, problems: list[str]) -> str:
    """The hub's base address; a trailing / or /api is tolerated."""
    address = re.sub(r"/(api/?)?$", "", text.strip().rstrip("/"))
    try:
        parts = urlsplit(address)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
        wrong = wrong or bool(parts.query or parts.fragment or parts.username)
    except ValueError:
        wrong = True
    if not text:
        problems.append("API is not set: the hub's address, such as https://monitor.example.org")
    elif wrong:
        problems.append(f"API={text!r} is not a hub's address, such as https://monitor.example.org")
    return address


def _agent_id(text: str, problems: list[str]) -> str:
    if not AGENT_ID.fullmatch(text):
        problems.append(f"AGENT_ID={text!r} is not 1 to 64 letters, digits, dots, dashes and underscores")
    return text


def _ca_file(text: str, problems: list[str]) -> str:
    if text and not os.access(text, os.R_OK):
        problems.append(f"CA_FILE={text!r} cannot be read")
    return text


def _seconds(
    values: Mapping[str, str], name: str, default: float, low: float, high: float, problems: list[str]
) -> float:
    text = values.get(name, "")
    try:
        number = float(text) if text else default
    except ValueError:
        number = -1
    if not low <= number <= high:  # also false for nan
        problems.append(f"{name}={text!r} is not a number of seconds from {low:g} to {high:g}")
    return number


def _by_sudo(text: str, allow: Allow, problems: list[str]) -> bool:
    if text not in ("", "systemctl", "sudo"):
        problems.append(f"ACT_BY={text!r} is neither systemctl nor sudo")
    if text == "sudo":
        problems.extend(grants.problems(allow, grants.SUDO))
    return text == "sudo"


def _allow(text: str, problems: list[str]) -> Allow:
    try:
        return Allow(text)
    except ValueError as error:
        problems.append(f"ALLOW: {error}")
        return Allow()
