"""Random faults on hub and agents, and what must hold whatever comes."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actions import ask, deadlines, judge, lifecycle, states
from actions.models import AuditEntry, Command
from pmonitor import access
from pmonitor.problems import Problem
from servers import presence
from tests.cast import enrolled, person
from tests.faults import truth
from tests.faults.agents import Machine, TestedAgent, killed, lost
from tests.faults.units import NAMES
from tests.faults.world import HOUR, POINTS, World


class Fault(NamedTuple):
    """What waits at a point of the way; seconds, hours and back as far as it needs them."""

    what: str
    point: str
    seconds: float
    hours: int | None
    back: int


class Scene(NamedTuple):
    """What an operator asks for, how the action will go, and which agent works at it, if one does."""

    cmd: str
    unit: str
    deliver: int
    execute: int
    seen: bool
    manner: str
    agent: int | None
    faults: list[Fault]


CALLS = POINTS[:4]
FAULTS = st.builds(
    Fault,
    what=st.sampled_from(("kill", "lose", "slow", "slow", "other", "cancel", "repeat")),
    point=st.sampled_from(POINTS),
    seconds=st.sampled_from((0.5, 12.0, 70.0, 150.0)),
    hours=st.sampled_from((None, None, -8, 0, 8)),
    back=st.integers(1, 4),
)
SCENES = st.builds(
    Scene,
    cmd=st.sampled_from((states.START, states.STOP, states.RESTART, states.RELOAD)),
    unit=st.sampled_from(NAMES),
    deliver=st.sampled_from((10, 60, 600)),
    execute=st.sampled_from((10, 60, 120)),
    seen=st.booleans(),
    manner=st.sampled_from(("well", "well", "well", "fails", "dies", "hangs")),
    agent=st.sampled_from((0, 0, 0, 1, None)),
    faults=st.lists(FAULTS, max_size=3),
)
SEEN: Counter[tuple[str, str, int]] = Counter()  # how the commands of all runs ended, and how often each ran
AGENTS = st.integers(0, 1)
STEPS = (
    deadlines.expire_undelivered, deadlines.requeue_unacknowledged, deadlines.time_out_unanswered,
    deadlines.resolve_unknown,
)  # fmt: skip
SETTLES_WITHIN = 100  # rounds of 10 s without faults: more than the longest deadlines asked for here


class Faults(RuleBasedStateMachine):
    """One server with two services; one agent, and a second one with the same token."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = transaction.atomic()
        self.rows.__enter__()
        self.world = World()
        self.clocks = self.world.time()
        self.clocks.__enter__()
        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        self.server, token = enrolled("srv-faults")
        self.operator = person("olga", access.ADMIN)
        self.executed: dict[str, list[str]] = {}  # by command: the state the hub had it in
        self.held: list[tuple[int, Any]] = []  # answers of polls that are still on their way
        self.stale: list[tuple[Any, Command]] = []  # moves another worker is about to make
        machine = Machine(self.world, Path(self.folder.name), "srv-faults", token, self.acting)
        self.agents = [TestedAgent(machine, name) for name in ("agent", "clone")]
        self.agents[0].start()

    def acting(self, command: str) -> None:
        state = Command.objects.get(uuid=command).state
        self.world.tell(f"  acts, the hub has it {state}")
        self.executed.setdefault(command, []).append(state)

    @initialize(scene=SCENES)
    def begin(self, scene: Scene) -> None:
        self.play(scene)

    @rule(scene=SCENES)
    def play(self, scene: Scene) -> None:
        """An operator asks, some faults wait, an agent works."""
        for fault in scene.faults:
            self.wait_for(fault)
        self.agents[0].machine.units.manner = scene.manner
        self.ask(scene)
        if scene.agent is not None:
            self.work(scene.agent)

    def ask(self, scene: Scene) -> None:
        shown = self.agents[0].machine.units.show(scene.unit)
        expect = {"mainPid": shown["mainPid"], "startTicks": shown["startTicks"]} if scene.seen else None
        limits: dict[str, Any] = {"deliver_within": scene.deliver, "execute_within": scene.execute}
        try:
            asked = ask.ask(self.operator, self.server, scene.cmd, scene.unit, expect=expect, **limits)
        except Problem as problem:
            return self.world.tell(f"ask {scene.cmd} {scene.unit}: {problem.sentence}")
        return self.world.tell(f"ask {scene.cmd} {scene.unit} → {asked.command.uuid} {limits}")

    def wait_for(self, fault: Fault) -> None:
        """Let a fault wait at its point."""
        happens = {
            "kill": killed,
            "lose": lost if fault.point in CALLS else killed,
            "slow": lambda: self.meanwhile(fault.seconds, fault.hours),
            "other": lambda: self.work(1 if self.agents[0].busy else 0),
            "cancel": lambda: self.cancel(0),
            "repeat": lambda: self.the_net_carries_a_call_again(0, fault.back),
        }[fault.what]
        self.world.tell(f"{fault.what} waits at {fault.point}")
        self.world.arm(fault.point, happens)

    @rule(number=st.integers(0, 3))
    def cancel(self, number: int) -> None:
        for command in Command.objects.filter(server=self.server).order_by("-id")[number : number + 1]:
            try:
                lifecycle.cancel(self.operator, command)
            except Problem:
                return
            self.world.tell(f"cancel {command.uuid}")

    @rule(agent=AGENTS)
    def work(self, agent: int) -> None:
        self.world.tell(f"{self.agents[agent].name} polls")
        self.agents[agent].work()

    @rule(agent=AGENTS)
    def poll_whose_answer_is_late(self, agent: int) -> None:
        """It may never come: the agent polls again meanwhile, and the commands in it were claimed."""
        if self.agents[agent].alive:
            self.world.tell(f"{self.agents[agent].name} polls, and the answer hangs")
            self.held.append((agent, self.agents[agent].hub.commands(0)))

    @precondition(lambda self: self.held)
    @rule(twice=st.booleans())
    def late_answer_arrives(self, twice: bool) -> None:
        agent, answer = self.held[0] if twice else self.held.pop(0)
        self.world.tell(f"a late answer arrives at {self.agents[agent].name}")
        self.agents[agent].arrives(answer)

    @rule(agent=AGENTS, back=st.integers(1, 6))
    def the_net_carries_a_call_again(self, agent: int, back: int) -> None:
        calls = [call for call in self.agents[agent].calls if call[0] == "POST" and not call[1].endswith("metrics")]
        if len(calls) >= back:
            self.world.tell(f"again from {self.agents[agent].name}: {calls[-back][1][-20:]}")
            self.agents[agent].hub.carry(*calls[-back])

    @rule(agent=AGENTS)
    def report(self, agent: int) -> None:
        if self.agents[agent].alive:
            self.agents[agent].report()

    @rule(runs=st.booleans())
    def worker_ends_or_starts(self, runs: bool) -> None:
        self.world.tell(f"the worker runs: {runs}")
        self.world.worker_runs = runs
        if runs:
            presence.watch = presence.Watch()

    @rule()
    def worker(self) -> None:
        if not self.world.worker_runs:
            return
        for step in STEPS:
            if moved := step():
                self.world.tell(f"{step.__name__}: {moved}")

    @rule()
    def another_worker_looks(self) -> None:
        """It reads what is due, and is slow to move it."""
        queued = Command.objects.filter(server=self.server, state__in=states.ACTIVE).select_related("server")
        now = self.world.hub_now()
        for command in queued:
            if command.state == states.RUNNING and command.execute_by and command.execute_by < now:
                self.stale.append((lifecycle.time_out, command))
            elif command.state != states.RUNNING and command.deliver_by < now:
                self.stale.append((lifecycle.expire, command))
            elif command.state == states.DELIVERED and command.lease_until and command.lease_until < now:
                self.stale.append((lifecycle.requeue, command))

    @precondition(lambda self: self.stale)
    @rule()
    def another_worker_moves(self) -> None:
        move, command = self.stale.pop(0)
        try:
            move(command)
        except lifecycle.IllegalMove:
            return
        self.world.tell(f"another worker: {move.__name__} {command.uuid}")

    @rule(seconds=st.sampled_from((0.5, 3.0, 11.0, 25.0, 61.0, 140.0)))
    def time_passes(self, seconds: float) -> None:
        self.world.tell(f"{seconds} s pass")
        self.world.advance(seconds)

    @rule(hub=st.sampled_from((-8, 0, 8)), machine=st.sampled_from((-3, 0, 10)))
    def clocks_are_set(self, hub: int, machine: int) -> None:
        self.world.tell(f"the hub's clock is {hub} h wrong, the machine's {machine} h")
        self.world.hub_offset, self.world.agent_offset = hub * HOUR, machine * HOUR

    @rule(full=st.booleans())
    def the_disk_is_full(self, full: bool) -> None:
        self.world.disk_full = full
        self.world.tell(f"disk full: {full}")

    @rule(agent=AGENTS)
    def kill_and_start(self, agent: int) -> None:
        """As its service manager does with Restart=always."""
        self.world.tell(f"{self.agents[agent].name} is killed")
        self.agents[agent].start()

    def meanwhile(self, seconds: float, hours: int | None) -> None:
        """A step takes long, while the hub's worker and the clocks go on."""
        self.time_passes(seconds)
        if hours is not None:
            self.clocks_are_set(hours, 0)
        self.worker()
        self.report(0)

    @invariant()
    def holds(self) -> None:
        commands = list(Command.objects.filter(server=self.server))
        truth.nothing_ran_twice_or_late(self.executed)
        moves = AuditEntry.objects.filter(server=self.server).exclude(to_state="").order_by("id")
        ways: dict[int | None, list[AuditEntry]] = {}
        for move in moves:
            ways.setdefault(move.command_id, []).append(move)
        for command in commands:
            truth.audit_tells_the_way(command, ways[command.pk])
            truth.is_true(command, len(self.executed.get(str(command.uuid), [])))

    def teardown(self) -> None:
        try:
            self.faults_stop()
            for command in Command.objects.filter(server=self.server):
                truth.has_ended(command)
                SEEN[command.state, command.verdict, len(self.executed.get(str(command.uuid), []))] += 1
            self.holds()
        except AssertionError as error:
            error.add_note("\n".join(self.world.story))
            raise
        finally:
            self.clocks.__exit__(None, None, None)
            transaction.set_rollback(True)
            self.rows.__exit__(None, None, None)
            self.folder.cleanup()

    def faults_stop(self) -> None:
        """From here on all is well; time passes until nothing is open, or for long."""
        self.world.tell("the faults stop")
        self.world.armed.clear()
        self.world.disk_full = False
        self.worker_ends_or_starts(True)
        ended = Q(state__in=states.ENDED) | Q(state=states.UNKNOWN, verdict__in=judge.FOR_GOOD)
        open_ones = Command.objects.filter(server=self.server).exclude(ended)
        for _round in range(SETTLES_WITHIN):
            for agent in (agent for agent in self.agents if agent.begun):
                if not agent.alive:
                    agent.start()
                agent.work()
                agent.report()
            self.worker()
            if not open_ones.exists():
                return
            self.world.advance(10.0)
