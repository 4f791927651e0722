"""A small service manager: two services, and every action on them on record."""

from __future__ import annotations

from typing import NamedTuple

from agent.hubclock import iso
from agent.managers.base import Acted, Service, State
from agent.managers.loglines import Log, Wanted
from tests.faults.world import World

NAMES = ("a.service", "b.service")
POSSIBLE = ("start", "stop", "restart", "reload")
HANG_SEC = 40.0
LIVES_SEC = 2.0


class Effect(NamedTuple):
    """What a service turns into, and when; main pid 0: it does not run."""

    at: float
    unit: str
    active: str
    pid: int


class Units:
    """As systemd is: what was begun goes on, whoever asked for it is gone meanwhile."""

    name = "systemd"
    list_every = 0.0

    def __init__(self, world: World) -> None:
        self._world = world
        self._pids = 1_000_000  # no process of this machine
        self._coming: list[Effect] = []
        self._states: dict[str, State] = {}
        self.manner = "well"  # of the next action: well, fails, dies, hangs
        for name in NAMES:
            self._become(Effect(0.0, name, "active", self._pid()))

    def detect(self) -> bool:
        return True

    def hint(self) -> object:
        return None

    def services(self) -> list[Service]:
        facts = {"description": "", "loadState": "loaded", "unitFileState": "enabled"}
        return [Service(name, self.name, {**facts, **self.show(name)}, POSSIBLE) for name in NAMES]

    def show(self, unit: str) -> State:
        due = sorted(effect for effect in self._coming if effect.at <= self._world.true)
        self._coming = [effect for effect in self._coming if effect not in due]
        for effect in due:
            self._become(effect)
        return dict(self._states[unit])

    def act(self, verb: str, unit: str, seconds: float) -> Acted:
        manner, self.manner = self.manner, "well"
        self._world.tell(f"  {verb} {unit}: {manner}")
        now, line = self._world.true, f"systemctl {verb} {unit}"
        if manner == "fails":
            return Acted(line, 1, "no")
        takes = HANG_SEC if manner == "hangs" else 0.0
        self._begin(verb, unit, now + takes)
        if manner == "dies":
            self._coming.append(Effect(now + LIVES_SEC, unit, "failed", 0))
        self._world.advance(min(takes, seconds))
        return Acted(line, 0 if takes <= seconds else None, "")

    def logs(self, unit: str, lines: int) -> list[str]:
        return []

    def read_log(self, unit: str, wanted: Wanted, seconds: float) -> Log:
        return Log([], "", "")

    def _begin(self, verb: str, unit: str, at: float) -> None:
        running = self.show(unit)["mainPid"]
        if verb == "stop":
            self._coming.append(Effect(at, unit, "inactive", 0))
        elif verb == "restart" or (verb == "start" and not running):
            self._coming.append(Effect(at, unit, "active", self._pid()))

    def _become(self, effect: Effect) -> None:
        self._states[effect.unit] = {
            "activeState": effect.active,
            "subState": "running" if effect.pid else "dead",
            "type": "simple",
            "since": iso(self._world.agent_wall()),
            "mainPid": effect.pid or None,
            "startTicks": effect.pid or None,
            "result": "exit-code" if effect.active == "failed" else "success",
            "nRestarts": 0,
            "memMB": None,
            "tasks": None,
        }

    def _pid(self) -> int:
        self._pids += 1
        return self._pids
