"""What is seen of a service after an action, where its manager does not answer each time."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from agent.evidence import Settling
from agent.managers.base import ManagerError, State

STATE = {"activeState": "inactive", "subState": "dead", "mainPid": None, "startTicks": None}


class Busy:
    """A manager that is too busy to answer the first times it is asked."""

    def __init__(self, fails: int) -> None:
        self.fails, self.asked = fails, 0

    def show(self, unit: str) -> State:
        self.asked += 1
        if self.asked <= self.fails:
            raise ManagerError("systemctl show did not end in time")
        return dict(STATE)


def settling(manager: Any) -> Settling:
    return Settling(manager, "a.service", 0.2, 1_700_000_000.0)


def test_a_manager_that_does_not_answer_once_is_asked_again() -> None:
    manager = Busy(fails=2)
    watch = settling(manager)
    seen = watch.watch(threading.Event())
    assert {key: seen[key] for key in STATE} == STATE
    assert seen["settledSec"] >= 0.2
    assert len(watch.changes) == 1


def test_one_that_never_answers_is_given_up() -> None:
    manager = Busy(fails=100)
    with pytest.raises(ManagerError, match="did not end in time"):
        settling(manager).watch(threading.Event())
    assert manager.asked == 3


def test_who_is_told_to_stop_asks_once_more_and_no_longer() -> None:
    manager, stop = Busy(fails=100), threading.Event()
    stop.set()
    with pytest.raises(ManagerError):
        settling(manager).watch(stop)
    assert manager.asked == 2
