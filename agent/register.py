"""How an agent becomes known to its hub: by an enrolment key once, by its own token ever after."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from agent import __version__, host, logs
from agent.backoff import Backoff
from agent.config import Config
from agent.hub import Answer, Hub, Unreachable
from agent.logs import log

REFUSED_SEC = 60.0  # a refusal is for a person to solve: ask seldom


class NotEnrolled(Exception):
    """There is neither a token nor a key to get one with."""


def token_for(config: Config, hub: Hub, stop: threading.Event) -> str | None:
    """The token to use: from the settings, from disk, or by registering until the hub gives one; None when stopped."""
    path = config.state_dir / "token.json"
    token = config.agent_token or _stored(path, config.agent_id)
    if token:
        return token
    if not config.enrolment_key:
        raise NotEnrolled(f"no token in {path} and no AGENT_TOKEN: set ENROLMENT_KEY to a key of the hub")
    return _register(config, hub, stop, path)


def _register(config: Config, hub: Hub, stop: threading.Event, path: Path) -> str | None:
    backoff = Backoff()
    while not stop.is_set():
        try:
            answer = hub.register(_body(config))
        except Unreachable as error:
            log.warning("cannot register: the hub is not reachable", extra={"error": str(error)})
            stop.wait(backoff.next())
            continue
        token = answer.body.get("token")
        if answer.status == 201 and isinstance(token, str) and token:
            logs.hide(token)
            _store(path, config.agent_id, token)
            log.info("registered", extra={"agentId": config.agent_id})
            return token
        stop.wait(_refused(answer, backoff))
    return None


def _refused(answer: Answer, backoff: Backoff) -> float:
    """Say why the hub did not register this agent; returns seconds to wait before asking again."""
    reasons = {
        400: "the hub calls a field of the registration wrong",
        401: "the enrolment key is wrong or no longer valid",
        403: "the hub does not allow this machine's address",
        409: "this AGENT_ID already belongs to another machine",
        429: "the hub asks to wait",
    }
    reason = reasons.get(answer.status, "the hub did not register this agent")
    log.error(f"cannot register: {reason}", extra={"answer": answer.why()})
    if answer.retry_after is not None:
        return answer.retry_after
    return REFUSED_SEC if 400 <= answer.status < 500 else backoff.next()


def _body(config: Config) -> dict[str, Any]:
    about = host.identity()
    return {
        "enrolmentKey": config.enrolment_key,
        "agentId": config.agent_id,
        "hostname": about["hostname"],
        "fingerprint": fingerprint(),
        "version": __version__,
        "os": about["os"],
        "kernel": about["kernel"],
        "cpuCount": about["cpuCount"],
        "memTotalMB": host.memory_total_mb(),
    }


def fingerprint() -> str:
    """Names this installation without telling its machine id: 64 hex digits."""
    return hashlib.sha256((host.machine_id() + "pmonitor").encode()).hexdigest()


def _stored(path: Path, agent_id: str) -> str:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        log.error("the stored token cannot be read", extra={"file": str(path), "error": str(error)})
        return ""
    same = isinstance(stored, dict) and stored.get("agentId") == agent_id
    return str(stored.get("token", "")) if same else ""


def _store(path: Path, agent_id: str, token: str) -> None:
    write_durably(path, json.dumps({"agentId": agent_id, "token": token}).encode())


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file at once and for sure, readable by its owner only."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    os.replace(new, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
