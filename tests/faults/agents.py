"""An agent whose parts are the real ones, called step by step; its ways to the hub and to its disk can fail."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.test import Client

from agent.allow import VERBS, Allow
from agent.command import Action, Command, Result
from agent.commands import Commands
from agent.execute import Executor
from agent.hub import Answer, Hub, Unreachable
from agent.hubclock import HubClock
from agent.journal import Journal
from agent.managers.base import Acted
from agent.reads import Reads
from agent.service_action import ServiceActions
from agent.servicetable import ServiceTable
from tests.faults.units import Units
from tests.faults.world import Killed, Stop, World

SETTLE_SEC = 5.0
NO_SPACE = 28
Acting = Callable[[str], None]  # told the command's id at the moment its action begins


class Machine:
    """What outlives an agent: its services and its disk."""

    def __init__(self, world: World, folder: Path, agent_id: str, token: str, acting: Acting) -> None:
        self.world, self.folder, self.agent_id, self.token, self.acting = world, folder, agent_id, token, acting
        self.units = Units(world)


class TestedAgent:
    """One agent on a machine, with a journal of its own; `start` after each `Killed`."""

    __test__ = False

    def __init__(self, machine: Machine, name: str) -> None:
        self.machine, self.world, self.name = machine, machine.world, name
        self.calls: list[tuple[str, str, bytes | None]] = []  # made so far: the net may carry one again
        self.begun = self.alive = self.busy = False

    def start(self) -> None:
        """As its service manager starts it: from its journal, and nothing else."""
        world, machine = self.world, self.machine
        self.hub = DjangoHub(self)
        stop = Stop(world)
        self.table = ServiceTable([machine.units], Allow("*:*"))
        journal = FailingJournal(machine.folder / f"{self.name}.jsonl", world)
        kind = Watched(ServiceActions(self.table, Allow("*:*"), SETTLE_SEC), machine.acting, world)
        executor = Executor(self.hub, journal, dict.fromkeys(VERBS, kind), stop)
        self.commands = Inline(self.hub, executor, journal, Reads(self.hub, {}, stop), stop)
        self.begun = self.alive = True
        world.tell(f"{self.name} starts")
        self.report()
        self._do(self.commands._recover)

    def work(self) -> None:
        """Poll once, and carry out what came."""
        if not self.begun:
            self.start()
        self._do(lambda: self.take(self.hub.commands(0)))

    def take(self, answer: Answer) -> None:
        """An answer of the long-poll arrives."""
        self.commands._taken(answer, 25.0, self.commands._backoff)

    def arrives(self, answer: Answer) -> None:
        """An answer to an earlier poll arrives now."""
        self._do(lambda: self.take(answer))

    def report(self) -> None:
        """Tell how the services are."""
        world = self.world
        self.table.refresh(lambda pid: None)
        load = {"cpu": 1.0, "memUsedMB": 1, "memTotalMB": 2}
        body = {"agentId": self.machine.agent_id, "ts": world.agent_wall(), "sentAt": world.agent_wall(), "procs": []}
        boot = {"bootId": "boot-1", "bootTime": world.agent_wall() - 9000 - world.true, "uptimeSec": 9000 + world.true}
        text = json.dumps({**body, **boot, "alerts": [], "load": load, "services": self.table.wire()})
        assert self.hub.report(text.encode()).status == 202

    def _do(self, step: Callable[[], None]) -> None:
        if not self.alive or self.busy:
            return
        self.busy = True
        try:
            step()
            self.commands.drain()
        except Killed:
            self.alive = False
            self.world.tell(f"{self.name} is killed")
        finally:
            self.busy = False


class Inline(Commands):
    """Carries a command out where the real one begins a thread."""

    def _begin(self, work: Callable[[dict[str, Any]], Result | None], subject: dict[str, Any]) -> None:
        self._execute(work, subject)

    def drain(self) -> None:
        """Everything that is to be done now."""
        while not self._events.empty():
            self._handle(self._events.get())
        self._send_unsent()


class FailingJournal(Journal):
    """A real journal on a disk that can be full, of an agent that can be killed in the middle of a line."""

    def __init__(self, path: Path, world: World) -> None:
        self._world = world
        super().__init__(path)

    def _append(self, line: bytes) -> None:
        if self._world.disk_full:
            raise OSError(NO_SPACE, "No space left on device")
        try:
            self._world.at("journal.before")
        except Killed:
            self._file.write(line[: len(line) // 2])
            raise
        super()._append(line)
        self._world.at("journal.after")


class DjangoHub(Hub):
    """The real client of the hub, but for the wire: a call is a call of the hub's views."""

    client = Client()  # one for all: each reads the whole folder of static files

    def __init__(self, agent: TestedAgent) -> None:
        self._agent = agent
        self._headers = {"X-Agent-Token": agent.machine.token}
        self.agent_id, self.clock = agent.machine.agent_id, HubClock()

    def _call(self, method: str, path: str, body: bytes | None, read_sec: float = 20.0) -> Answer:
        kind = path.rpartition("/")[2]
        self._agent.calls.append((method, path, body))
        return self.carry(method, path, body, kind if kind in ("ack", "result") else "")

    def carry(self, method: str, path: str, body: bytes | None, point: str = "") -> Answer:
        """To the hub and back, with what waits on the way."""
        world = self._agent.world
        if point:
            world.at(f"{point}.before")
        address, given = f"/api{path}", body or b""
        got = self.client.generic(method, address, given, content_type="application/json", headers=self._headers)
        said = got.json() if got.content else {}
        if point or got.status_code != 204:
            world.tell(f"  {self._agent.name} {method} …{path[-12:]}→ {got.status_code}")
        if point:
            world.at(f"{point}.after")
        self.clock.learn(said.get("serverTime"), None)
        return Answer(got.status_code, said)


def lost() -> None:
    """A packet that never arrives."""
    raise Unreachable("the net is down")


def killed() -> None:
    """The end of the agent's process."""
    raise Killed


class Watched:
    """The real actions on services; says when one begins."""

    def __init__(self, real: ServiceActions, acting: Acting, world: World) -> None:
        self._real, self._acting, self._world = real, acting, world

    def check(self, command: Command) -> Action:
        return WatchedAction(self._real.check(command), command.id, self._acting, self._world)

    def seen_now(self, entry: dict[str, Any], stop: Any, hub_now: float) -> Result:
        return self._real.seen_now(entry, stop, hub_now)


class WatchedAction:
    """One real action."""

    def __init__(self, real: Action, command: str, acting: Acting, world: World) -> None:
        self._real, self._command, self._acting, self._world = real, command, acting, world
        self.before = real.before

    def act(self, seconds: float) -> Acted:
        self._world.at("act.before")
        self._acting(self._command)
        acted = self._real.act(seconds)
        self._world.at("act.after")
        return acted

    def settled(self, stop: Any, hub_now: float) -> Result:
        return self._real.settled(stop, hub_now)
