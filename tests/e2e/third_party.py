"""A monitoring agent somebody else might write: it knows agent/PROTOCOL.md and nothing of this project.

Usage: third_party.py HUB KEY AGENT_ID PIDFILE. It registers, sends the exact minimal report, takes one command,
"restarts" its service by starting a real process anew, tells the evidence, reports once more, and ends.
"""

import json
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Service = subprocess.Popen[bytes]
hub, key, agent_id, pid_file = sys.argv[1:]


def call(method: str, path: str, body: object = None, token: str = "") -> tuple[int, Any]:
    headers = {"Content-Type": "application/json", **({"X-Agent-Token": token} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{hub}/api/{path}", data=data, headers=headers, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=40) as answer:  # noqa: S310
        text = answer.read()
        return answer.status, json.loads(text) if text else None


def report(service: Service) -> dict[str, object]:
    return {
        "agentId": agent_id,
        "ts": int(time.time()),
        "procs": [{"name": "sleep", "pid": service.pid, "cpu": 1.2, "memMB": 78, "status": "running"}],
        "load": {"cpu": 8.9, "memUsedMB": 2048, "memTotalMB": 8192},
        "uptimeSec": 123456,
        "alerts": [],
    }


def start_service() -> Service:
    service = subprocess.Popen(["sleep", "600"])
    Path(pid_file).write_text(str(service.pid))
    return service


def state_of(service: Service) -> dict[str, object]:
    ticks = int(Path(f"/proc/{service.pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    return {"activeState": "active", "subState": "running", "mainPid": service.pid, "startTicks": ticks}


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


service = start_service()
status, enrolled = call("POST", "agents/register", {"enrolmentKey": key, "agentId": agent_id, "hostname": agent_id})
assert status == 201, status
token = enrolled["token"]
assert call("POST", f"agents/{agent_id}/metrics", report(service), token)[0] == 202
print("reporting", flush=True)

commands = None
while not commands:
    status, answer = call("GET", f"actions/queue/{agent_id}?wait=25", token=token)
    commands = answer["commands"] if status == 200 else None
command = commands[0]
assert (command["cmd"], command["target"]) == ("restart", "sleepy"), command
path = f"actions/queue/{agent_id}/{command['id']}"
status, answer = call("POST", f"{path}/ack", {"startedAt": now()}, token)
assert answer == {"state": "running"}, answer
before = state_of(service)
service.terminate()
service.wait()
service = start_service()
time.sleep(5)
after = {**state_of(service), "settledSec": 5}
result = {"outcome": "done", "exitCode": 0, "output": "", "before": before, "after": after}
status, answer = call("POST", f"{path}/result", result, token)
print(answer["state"], flush=True)
assert call("POST", f"agents/{agent_id}/metrics", report(service), token)[0] == 202
service.terminate()
