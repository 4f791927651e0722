"""Agents that report and wait for commands, all in this process: at a fixed rate, whatever the hub does.

report_load.py starts it, and writes one line of JSON to it: what `Task` holds. It says "begin" and "end" around what is
measured, which ends when the last report was answered, then its `Outcome` as JSON. A report is due when its agent's
turn comes, and its latency counts from there, however late it could be sent. One that is put off (503), or whose
connection breaks, is sent again, as agents do; one that is never taken is lost. After one that was taken the next tells
what changed since, and all each ten minutes and when the hub asks for it, as agents do.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import struct
import sys
import time
import zlib
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.machine import TYPICAL, Machine

EVERY_SEC = 10.0
MOVES = ("cpu", "memMB", "status", "threads")
AGAIN_SEC = 2.0
DRAIN_SEC = 60.0
WHOLE_EVERY = 60  # reports
MACHINES, MOST_STEPS = 16, 61  # so many different servers the agents report of, and reports of each
POLL_SEC = 55
POLLS_PER_SEC = 150  # so they begin, and later go on


class Task(msgspec.Struct):
    """What to send: agents are pairs of id and token; each reports so many times, and once before that.

    They take turns at the ports, each at its own. whole: they tell all each time, as old agents do.
    """

    ports: list[int]
    agents: list[tuple[str, str]]
    rounds: int
    polls: bool
    whole: bool = False


class Outcome(msgspec.Struct):
    """What came of the reports that were due in the measured time; latencies in milliseconds."""

    taken: int
    whole: int
    lost: int
    again: int
    refused: int
    polls: int
    p50: float
    p99: float
    most: float
    cpu_ms: float


Packed = tuple[bytes, bytes]  # plain, and deflated


class Bodies:
    """Reports of 500 processes each, gzipped but for their first lines, which each sender writes itself."""

    def __init__(self, steps: int) -> None:
        machines = [Machine("-", TYPICAL, seed=seed) for seed in range(MACHINES)]
        self.ready = [self._steps(machine, steps) for machine in machines]

    def _steps(self, machine: Machine, count: int) -> list[tuple[Packed, Packed]]:
        """Each report whole, and as what changed since the one before; the first one follows the last."""
        told = [json.loads(zlib.decompress(machine.report(), 31)) for _ in range(count)]
        return [(self._packed(one), self._packed(changed(told[place - 1], one))) for place, one in enumerate(told)]

    def _packed(self, told: dict[str, Any]) -> Packed:
        rest = {name: value for name, value in told.items() if name not in ("agentId", "ts", "hostname")}
        plain = json.dumps(rest, separators=(",", ":")).encode()[1:]
        packing = zlib.compressobj(1, zlib.DEFLATED, -15)
        return plain, packing.compress(plain) + packing.flush()

    def of(self, number: int, step: int, agent_id: str, ts: float, base: float | None) -> bytes:
        """The agent's report, sampled then: a stored block, then the block that is packed already."""
        steps = self.ready[number % len(self.ready)]
        plain, packed = steps[step % len(steps)][base is not None]
        own = {"agentId": agent_id, "ts": ts, "sentAt": time.time(), "hostname": agent_id}
        own |= {} if base is None else {"base": base}
        first = json.dumps(own).encode()[:-1] + b", "
        stored = b"\0" + struct.pack("<HH", len(first), len(first) ^ 0xFFFF) + first
        crc = zlib.crc32(plain, zlib.crc32(first))
        return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + stored + packed + struct.pack("<II", crc, len(first) + len(plain))


def changed(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """The report as what changed since the one before: agent/PROTOCOL.md."""
    old = {proc["pid"]: (place, proc) for place, proc in enumerate(before["procs"])}
    changes: dict[str, Any] = {"count": len(now["procs"]), "gone": [], "new": [], "procs": [], "moved": []}
    changes |= {name: [] for name in MOVES}
    for place, proc in enumerate(now["procs"]):
        _at, was = old.pop(proc["pid"], (0, None))
        if was is None:
            changes["new"].append(place)
            changes["procs"].append(proc)
        elif was != proc:
            changes["moved"].append(place)
            for name in MOVES:
                changes[name].append(proc[name])
    changes["gone"] = [place for place, _proc in old.values()]
    return {name: value for name, value in now.items() if name != "procs"} | {"changes": changes}


class Caller(asyncio.Protocol):
    """One kept connection, and one request on it at a time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.transport: Any = None
        self.came = b""
        self.answered: asyncio.Future[int] | None = None

    async def call(self, request: bytes) -> int:
        """The answer's status; 0 when the connection broke."""
        loop = asyncio.get_running_loop()
        try:
            if self.transport is None:
                await loop.create_connection(lambda: self, "127.0.0.1", self.port)
        except OSError:
            return 0
        self.answered = loop.create_future()
        self.transport.write(request)
        return await self.answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.came = transport, b""

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._end(0)

    def data_received(self, data: bytes) -> None:
        self.came += data
        head, ended, body = self.came.partition(b"\r\n\r\n")
        if not ended:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) >= length:
            self.came = b""
            self._end(int(head[9:12]))

    def _end(self, status: int) -> None:
        if self.answered is not None and not self.answered.done():
            self.answered.set_result(status)


class Agents:
    """All of them."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.bodies = Bodies(min(1 + task.rounds, MOST_STEPS))
        ports = [task.ports[number % len(task.ports)] for number in range(len(task.agents))]
        self.reporters = [Caller(port) for port in ports]
        self.turns = [asyncio.Lock() for _ in task.agents]
        self.order = random.Random(1).sample(range(len(task.agents)), len(task.agents))  # those on one page, too
        self.pollers = [Caller(port) for port in ports] if task.polls else []
        self.latencies: deque[float] = deque()
        self.bases: dict[int, float] = {}  # of each agent, the report that was taken last
        self.due = self.whole = self.again = self.refused = self.polls = 0

    async def run(self) -> Outcome:
        """Connect, let each report once, and then for the whole time; wait for what is under way after either."""
        loop = asyncio.get_running_loop()
        polling = [loop.create_task(self._poll(number)) for number in range(len(self.pollers))]
        await asyncio.sleep(len(polling) / POLLS_PER_SEC + 3)
        await self._rounds(0, 1)
        self.latencies.clear()
        self.due = self.whole = self.again = self.refused = self.polls = 0
        say("begin")
        cpu = time.process_time()
        await self._rounds(1, self.task.rounds)
        cpu = time.process_time() - cpu
        say("end")
        taken = sorted(1000 * seconds for seconds in self.latencies) or [0.0]
        return Outcome(
            len(self.latencies), self.whole, self.due - len(self.latencies), self.again, self.refused, self.polls,
            taken[len(taken) // 2], taken[int(len(taken) * 0.99)], taken[-1], 1000 * cpu,
        )  # fmt: skip

    async def _rounds(self, first: int, rounds: int) -> None:
        loop, count = asyncio.get_running_loop(), len(self.task.agents)
        reports: set[asyncio.Task[None]] = set()
        start = loop.time()
        for turn in range(rounds * count):
            due = start + turn * EVERY_SEC / count
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            one = loop.create_task(self._report(self.order[turn % count], first + turn // count, due))
            reports.add(one)
            one.add_done_callback(reports.discard)
        if reports:
            await asyncio.wait(reports, timeout=DRAIN_SEC)

    async def _report(self, number: int, step: int, due: float) -> None:
        self.due += 1
        async with self.turns[number]:  # an agent sends one report at a time
            ts, base = time.time(), self.bases.pop(number, None)
            base = None if self.task.whole or (step + number) % WHOLE_EVERY == 0 else base
            while (status := await self._call(number, step, ts, base)) in (0, 409, 503):
                self.again, base = self.again + 1, None
                if status != 409:
                    await asyncio.sleep(AGAIN_SEC)
            if status == 202:
                self.bases[number] = ts
        self.refused += status != 202
        if status == 202:
            self.latencies.append(asyncio.get_running_loop().time() - due)

    async def _call(self, number: int, step: int, ts: float, base: float | None) -> int:
        agent_id, token = self.task.agents[number]
        body = self.bodies.of(number, step, agent_id, ts, base)
        self.whole += base is None
        path = f"/api/agents/{agent_id}/metrics"
        return await self.reporters[number].call(head("POST", path, token, len(body)) + body)

    async def _poll(self, number: int) -> None:
        agent_id, token = self.task.agents[number]
        await asyncio.sleep(number / POLLS_PER_SEC)
        while True:
            status = await self.pollers[number].call(
                head("GET", f"/api/actions/queue/{agent_id}?wait={POLL_SEC}", token)
            )
            self.polls += 1
            if status not in (200, 204):
                await asyncio.sleep(AGAIN_SEC)


def head(method: str, path: str, token: str, length: int | None = None) -> bytes:
    """A request's first lines."""
    body = (
        []
        if length is None
        else ["Content-Type: application/json", "Content-Encoding: gzip", f"Content-Length: {length}"]
    )
    return "\r\n".join(
        [f"{method} {path} HTTP/1.1", "Host: localhost", f"X-Agent-Token: {token}", *body, "", ""]
    ).encode()


def say(word: str) -> None:
    """Tell whoever started this."""
    print(word, flush=True)


def main() -> None:
    """Do the one task that stands on standard input."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    task = msgspec.json.decode(sys.stdin.readline(), type=Task)
    say(msgspec.json.encode(asyncio.run(Agents(task).run())).decode())


if __name__ == "__main__":
    main()
