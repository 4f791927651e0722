"""What the OpenAPI shows as examples of the answers about servers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiResponse
from msgspec import Struct

from servers import api_shapes

AT = "2026-01-31T12:00:00Z"
PROCESS = {
    "name": "redis-server",
    "pid": 123,
    "cpu": 1.2,
    "memMB": 78,
    "status": "running",
    "user": "redis",
    "cmdline": "/usr/bin/redis-server 127.0.0.1:6379",
    "ppid": 1,
    "threads": 5,
    "startTicks": 4711,
}
SERVER = {
    "agentId": "srv-redis-01",
    "hostname": "redis-01",
    "group": "databases",
    "labels": {"env": "prod"},
    "state": "up",
    "stateSince": "2026-01-30T08:12:44Z",
    "receivedAt": AT,
    "sampledAt": AT,
    "uptimeSec": 123456,
    "procsTotal": 214,
    "readings": {"cpu": 8.9, "memUsedMB": 2048, "memTotalMB": 8192},
    "skewSec": 0.02,
}
SERVICE = {
    "name": "redis-server.service",
    "activeState": "active",
    "manager": "systemd",
    "subState": "running",
    "mainPid": 123,
    "startTicks": 4711,
    "since": "2026-01-30T08:12:44Z",
    "verbs": ["restart"],
    "can": ["start", "stop", "restart"],
}
OF: dict[type[Struct], dict[str, Any]] = {
    api_shapes.Fleet: {"total": 1, "states": {"up": 1}, "servers": [SERVER]},
    api_shapes.Detail: {
        **SERVER,
        "facts": {"os": "Debian GNU/Linux 12", "kernel": "6.1.0-28-amd64", "cpuCount": 4, "version": "0.1.0"},
        "services": [SERVICE],
        "disks": [{"mount": "/", "usedMB": 14540, "totalMB": 20480, "device": "/dev/sda1", "fs": "ext4"}],
        "disksAt": AT,
        "history": {"cpu": [8.1, None, 8.9], "mem": [25.0, None, 25.1]},
    },
    api_shapes.ProcessTable: {"at": AT, "sampledAt": "2026-01-31T11:59:52.310Z", "total": 214, "procs": [PROCESS]},
    api_shapes.FoundProcesses: {
        "at": AT,
        "total": 1,
        "procs": [{"agentId": "srv-redis-01", "hostname": "redis-01", "sampledAt": AT, "process": PROCESS}],
        "untold": 0,
    },
    api_shapes.SeenProcesses: {
        "from": "2026-01-31T00:00:00Z",
        "to": AT,
        "done": 40,
        "of": 50,
        "next": 117,
        "procs": [
            {
                "agentId": "srv-redis-01",
                "hostname": "redis-01",
                "name": "redis-server",
                "pid": 123,
                "startTicks": 4711,
                "user": "redis",
                "cmdline": "/usr/bin/redis-server 127.0.0.1:6379",
                "firstSeen": "2026-01-31T00:00:05Z",
                "lastSeen": "2026-01-31T11:59:55Z",
                "cpu": 97.3,
                "cpuAt": "2026-01-31T03:12:40Z",
                "memMB": 911.2,
                "memAt": "2026-01-31T03:12:50Z",
            }
        ],
    },
    api_shapes.States: {
        "from": "2026-01-31T11:00:00Z",
        "to": AT,
        "shares": {"up": 90.0, "silent": 2.5, "unknown": 7.5},
        "spells": [
            {"from": "2026-01-31T11:00:00Z", "to": "2026-01-31T11:41:30Z", "state": "up", "why": None},
            {"from": "2026-01-31T11:41:30Z", "to": "2026-01-31T11:46:00Z", "state": "unknown", "why": "asleep"},
            {"from": "2026-01-31T11:46:00Z", "to": "2026-01-31T11:47:30Z", "state": "silent", "why": None},
            {"from": "2026-01-31T11:47:30Z", "to": AT, "state": "up", "why": None},
        ],
        "boots": ["2026-01-31T11:47:12Z"],
    },
    api_shapes.History: {
        "metric": "cpu",
        "step": 12,
        "points": [{"t": AT, "avg": 8.9, "min": 6.2, "max": 14.0}],
    },
}


def shown(kind: type[Struct]) -> OpenApiResponse:
    """The answer of this shape, with its example."""
    example = OpenApiExample("Example", OF[kind], response_only=True, status_codes=["200"])
    return OpenApiResponse(api_shapes.schema(kind), examples=[example])
