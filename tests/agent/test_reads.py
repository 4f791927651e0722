"""Reads on demand: each answered once, in its time, whatever is asked; against a hub that speaks the protocol."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent import config
from agent.hub import Hub
from agent.hubclock import HubClock
from agent.managers.base import ManagerError
from agent.reads import Kind, NoAnswer, Read, Reads
from tests.agent.conftest import AgentStarter
from tests.agent.toyhub import ToyHub

Asker = Callable[..., dict[str, Any]]


def echo(read: Read) -> dict[str, Any]:
    return {"target": read.target, "args": read.args, "inTime": 0 < read.seconds <= 20}


def refuse(_read: Read) -> dict[str, Any]:
    raise NoAnswer("this server's owner does not want it")


def broken_manager(_read: Read) -> dict[str, Any]:
    raise ManagerError("systemctl cannot be run")


def faulty(read: Read) -> dict[str, Any]:
    return {"never": 1 / len(read.args)}


def huge(_read: Read) -> dict[str, Any]:
    return {"lines": ["x" * 1000] * 300}


def hub_of(toy: ToyHub, tmp_path: Path) -> Hub:
    file = tmp_path / "agent.env"
    file.touch()
    return Hub(config.load({"API": toy.address, "AGENT_ID": "srv-1", "ENROLMENT_KEY": "k"}, file), HubClock())


@pytest.fixture
def slow() -> Iterator[threading.Event]:
    """Ends the slow reads."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def reads(hub: ToyHub, tmp_path: Path, slow: threading.Event) -> Iterator[Reads]:
    """The agent's part that answers, with some kinds of questions."""
    stop = threading.Event()

    def wait(_read: Read) -> dict[str, Any]:
        slow.wait(30)
        return {}

    kinds: dict[str, Kind] = {"echo": echo, "refuse": refuse, "manager": broken_manager, "faulty": faulty}
    yield Reads(hub_of(hub, tmp_path), {**kinds, "huge": huge, "slow": wait}, stop)
    stop.set()


@pytest.fixture
def ask(hub: ToyHub, reads: Reads) -> Asker:
    """Asks, and returns what the agent told the hub."""

    def asking(kind: str, number: int = 1, **fields: Any) -> dict[str, Any]:
        read = hub.read(number, kind, **fields)
        with hub.changed:
            hub.asking.remove(read)
        assert reads.start([read])
        hub.wait_for(lambda: read["id"] in dict(hub.answers))
        return dict(hub.answers)[read["id"]]

    return asking


def test_a_question_is_answered(ask: Asker) -> None:
    told = ask("echo", target="web", args={"lines": 3})
    assert told == {"answer": {"target": "web", "args": {"lines": 3}, "inTime": True}}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("refuse", "this server's owner does not want it"),
        ("manager", "systemctl cannot be run"),
        ("faulty", "the agent failed at this: ZeroDivisionError"),
        ("huge", "larger than"),
        ("unheard-of", "does not know the question 'unheard-of'"),
    ],
)
def test_what_cannot_be_answered_says_why(ask: Asker, kind: str, words: str) -> None:
    told = ask(kind)
    assert words in told["error"]
    assert "answer" not in told


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": 5}, "kind"),
        ({"target": ["web"]}, "target"),
        ({"target": "x" * 256}, "target"),
        ({"args": [1]}, "args"),
        ({"answerBy": "soon"}, "answerBy"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(ask: Asker, fields: dict[str, Any], words: str) -> None:
    assert words in ask(fields.pop("kind", "echo"), **fields)["error"]


def test_what_takes_too_long_is_said_and_the_late_answer_is_not_sent(
    ask: Asker, hub: ToyHub, slow: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.reads._LONGEST_SEC", 0.3)
    assert "not found out within" in ask("slow")["error"]
    slow.set()
    ask("echo", number=2)
    assert len(hub.answers) == 2


def test_only_a_few_are_answered_at_once_and_room_comes_back(
    ask: Asker, slow: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.reads._LONGEST_SEC", 0.3)
    for number in range(4):
        ask("slow", number=number)  # answered for the time being, still at work
    assert "answering 4 other questions" in ask("echo", number=5)["error"]
    slow.set()
    numbers = iter(range(6, 100))
    while "error" in ask("echo", number=next(numbers)):
        pass


def test_a_question_whose_time_is_over_is_not_answered(ask: Asker, reads: Reads, hub: ToyHub) -> None:
    ask("echo")  # from here on the agent knows the hub's time
    late = hub.read(2, "echo", within=-1)
    reads.start([late])
    ask("echo", number=3)
    assert late["id"] not in dict(hub.answers)


@pytest.mark.parametrize("said", [None, "text", [], ["text"], {"id": "x"}, [{"id": "../../x"}, {"kind": "echo"}]])
def test_nonsense_in_place_of_questions_is_passed_over(hub: ToyHub, tmp_path: Path, said: object) -> None:
    Reads(hub_of(hub, tmp_path), {}, threading.Event()).start(said)
    assert not hub.answers


def test_an_agent_names_the_feature_and_answers_beside_its_commands(hub: ToyHub, start_agent: AgentStarter) -> None:
    start_agent()
    hub.wait_for(lambda: hub.reports)
    assert "reads" in hub.reports[0]["features"]
    hub.command(1, "restart", "nothing")
    read = hub.read(1, "unheard-of")
    hub.wait_for(lambda: hub.answers and hub.results)
    assert hub.answers[0][0] == read["id"]
    assert hub.results[0][1]["outcome"] == "refused"
