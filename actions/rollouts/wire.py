"""What programs say about rollouts, as typed and bounded structs. start.py checks the values."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from msgspec.json import Decoder

from actions.rollouts import states
from actions.rollouts.selection import Selection
from actions.rollouts.start import Confirmed, Wanted
from servers.wire import Text, Word

Name = Annotated[str, Meta(max_length=100)]
Names = Annotated[list[Name], Meta(max_length=1_000)]


class Ask(Struct, rename="camel"):
    """A rollout; without filters and servers it is for every server in scope that has the service."""

    cmd: Word
    target: Annotated[str, Meta(min_length=1, max_length=255)]
    reason: Text = ""
    group: Name = ""
    label: Text = ""
    name: Name = ""
    service_state: Word = ""
    servers: Names = []
    without: Names = []
    batch: Word | int = "1"
    order: Word = states.BY_NAME
    seed: int = 0
    pause_sec: int = 30
    max_failures: int = 1
    probe: Text = ""
    silent: Word = states.SKIP_SILENT
    deliver_within_sec: int = 60
    execute_within_sec: int = 120
    count: int | None = None
    typed: Text = ""
    dry_run: bool = False


class Way(Struct, rename="camel"):
    """Why somebody halts, resumes, retries, skips or ends; moves: the rollout's, as the caller saw them."""

    reason: Text = ""
    moves: int | None = None


ASKS, WAYS = Decoder(Ask), Decoder(Way)


def confirmed(given: Ask) -> Confirmed:
    """What its asker says to the plan."""
    return Confirmed(given.reason, given.count, given.typed[:255])


def wanted(given: Ask) -> Wanted:
    """The rollout it asks for."""
    chosen = Selection(
        given.group,
        given.label,
        given.name,
        given.service_state,
        tuple(dict.fromkeys(name.replace("\0", "") for name in given.servers)),
        tuple(name.replace("\0", "") for name in given.without),
    )
    return Wanted(
        given.cmd,
        given.target,
        chosen,
        batch=str(given.batch),
        order=given.order,
        seed=given.seed,
        pause=given.pause_sec,
        max_failures=given.max_failures,
        probe=given.probe,
        silent=given.silent,
        deliver_within=given.deliver_within_sec,
        execute_within=given.execute_within_sec,
    )
