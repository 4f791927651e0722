"""The hub's API as the tests of real servers ask it."""

from __future__ import annotations

import json
import textwrap
from typing import Any

import requests

from tests.e2e.hub import Hub
from tests.hosts.waiting import eventually

REPORTED_WITHIN = 30  # seconds


class Api:
    """The hub's API as an operator's program sees it, for one server."""

    def __init__(self, hub: Hub, agent_id: str) -> None:
        self.hub, self.agent_id = hub, agent_id
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {hub.api_token}"

    def get(self, path: str) -> Any:
        answer = self.session.get(f"{self.hub.url}/api/{path}", timeout=60)
        assert answer.ok, answer.text
        return answer.json()

    def post(
        self, cmd: str, target: str, execute_within: int = 60, args: dict[str, Any] | None = None
    ) -> requests.Response:
        body: dict[str, Any] = {"cmd": cmd, "target": target, "typed": target, "args": args or {}}
        body |= {"reason": "a test", "deliverWithinSec": 300}
        address = f"{self.hub.url}/api/actions/{self.agent_id}"
        return self.session.post(address, json={**body, "executeWithinSec": execute_within}, timeout=60)

    def ask(self, cmd: str, target: str, execute_within: int = 60, args: dict[str, Any] | None = None) -> str:
        """The id of a command just queued."""
        answer = self.post(cmd, target, execute_within, args)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def outcome(self, command: str, within: float = 60) -> dict[str, Any]:
        """A command once it has ended."""
        ended = ("succeeded", "failed", "unknown", "refused", "expired", "cancelled")
        return eventually(lambda: self.get(f"commands/{command}"), lambda c: c["state"] in ended, within)

    def process(self, name: str) -> dict[str, Any]:
        """A process in the newest report, as a command's arguments name it; empty when there is none of that name."""
        found = [proc for proc in self.get(f"servers/{self.agent_id}/processes")["procs"] if proc["name"] == name]
        boot_id = self.get(f"servers/{self.agent_id}")["facts"]["bootId"]
        return {"bootId": boot_id, "pid": found[0]["pid"], "startTicks": found[0]["startTicks"]} if found else {}

    def service(self, name: str) -> dict[str, Any]:
        """A service as the API tells it; empty when the hub does not know it."""
        if self.session.get(f"{self.hub.url}/api/servers/{self.agent_id}", timeout=60).status_code == 404:
            return {}  # it has not reported yet
        listed: list[dict[str, Any]] = self.get(f"servers/{self.agent_id}")["services"]
        return next((service for service in listed if service["name"] == name), {})

    def log(self, unit: str, **args: Any) -> dict[str, Any]:
        """What the agent answers when asked for a unit's log. No call of the API asks, pages do."""
        who = f"User.objects.get(username='admin'), Server.objects.get(agent_id={self.agent_id!r})"
        script = f"""
            import json, time
            from django.contrib.auth.models import User
            from actions import reads
            from servers.models import Server
            read = reads.ask({who}, 'logs', {unit!r}, {args!r})
            while not reads.verdict_of(read):
                time.sleep(0.1)
                read.refresh_from_db()
            print(json.dumps(read.answer or dict(error=reads.why(read))))
        """
        found: dict[str, Any] = json.loads(self.hub.manage("shell", "-v", "0", "-c", textwrap.dedent(script)))
        return found

    def pretend_verbs(self, name: str, verbs: list[str]) -> None:
        """Make the hub believe that the owner allows these verbs on a service."""
        asked = f"Service.objects.filter(server__agent_id={self.agent_id!r}, name={name!r})"
        script = f"from servers.models import Service; {asked}.update(verbs={verbs!r})"
        self.hub.manage("shell", "-v", "0", "-c", script)
