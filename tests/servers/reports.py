"""Reports as agents send them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from django.test import Client

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

TS = 1_726_147_200
MINIMAL = """{"agentId": "srv-web-01", "ts": 1726147200,
 "procs": [{"name": "redis-server", "pid": 123, "cpu": 1.2, "memMB": 78, "status": "running"}],
 "load": {"cpu": 8.9, "memUsedMB": 2048, "memTotalMB": 8192}, "uptimeSec": 123456, "alerts": []}"""


def proc(pid: int = 123, **facts: Any) -> dict[str, Any]:
    """One process."""
    return {"name": "redis-server", "pid": pid, "cpu": 1.2, "memMB": 78, "status": "running"} | facts


def service(name: str = "redis-server.service", **facts: Any) -> dict[str, Any]:
    """One service as our agent lists it."""
    return {
        "name": name,
        "manager": "systemd",
        "description": "Advanced key-value store",
        "loadState": "loaded",
        "activeState": "active",
        "subState": "running",
        "mainPid": 123,
        "startTicks": 4711,
        "nRestarts": 0,
        "result": "success",
        "since": "2026-01-31T12:00:00Z",
        "memMB": 9.5,
        "tasks": 5,
        "unitFileState": "enabled",
        "verbs": ["start", "stop", "restart"],
    } | facts


def report(**facts: Any) -> dict[str, Any]:
    """A report of srv-web-01."""
    body: dict[str, Any] = json.loads(MINIMAL)
    return body | facts


def post(agent: Client, body: Any, agent_id: str = "srv-web-01", **extra: Any) -> Answer:
    """Post a report: a dict as JSON, a text or bytes as they are."""
    data = json.dumps(body) if isinstance(body, dict) else body
    return agent.post(f"/api/agents/{agent_id}/metrics", data, content_type="application/json", **extra)


def post_gzip(agent: Client, packed: bytes) -> Answer:
    """Post bytes that are said to be gzip."""
    return post(agent, packed, headers={"Content-Encoding": "gzip"})


def zipped(body: Any) -> bytes:
    """A report as gzip."""
    return gzip.compress(json.dumps(body).encode())
