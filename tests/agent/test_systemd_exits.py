"""How systemd's main processes ended: by `systemctl show`, and by its journal."""

from __future__ import annotations

import json

import pytest

from agent.managers import systemd_exits
from agent.managers.base import Acted


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ({"ExecMainCode": "1", "ExecMainStatus": "0"}, "0"),
        ({"ExecMainCode": "1", "ExecMainStatus": "7"}, "7"),
        ({"ExecMainCode": "2", "ExecMainStatus": "9"}, "SIGKILL"),
        ({"ExecMainCode": "3", "ExecMainStatus": "6"}, "SIGABRT"),
        ({"ExecMainCode": "2", "ExecMainStatus": "40"}, "signal 40"),
        ({"ExecMainCode": "2", "ExecMainStatus": "9", "Result": "oom-kill"}, "oom-kill"),
        ({"ExecMainCode": "0", "ExecMainStatus": "0"}, ""),
        ({}, ""),
    ],
)
def test_how_a_main_process_ended_is_one_word(shown: dict[str, str], told: str) -> None:
    assert systemd_exits.last_exit(shown) == told


def test_the_journal_tells_how_a_service_ended_that_came_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = {"a.service": "SIGSEGV", "b.service": ""}
    monkeypatch.setattr(systemd_exits, "told", lambda unit, since: ended[unit])
    monkeypatch.setattr(systemd_exits, "_LOOK_AGAIN_SEC", 0)
    exits = systemd_exits.Exits()

    def listed(count: int, last_exit: str = "") -> str:
        facts = {name: {"nRestarts": count, "lastExit": last_exit} for name in ("a.service", "b.service")}
        exits.complete(facts)
        assert facts["b.service"]["lastExit"] == last_exit
        return str(facts["a.service"]["lastExit"])

    assert [listed(3), listed(4), listed(4), listed(5, "7"), listed(0)] == ["", "SIGSEGV", "SIGSEGV", "7", ""]


def test_what_the_journal_took_before_the_last_list_is_of_another_end(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"MESSAGE_ID": systemd_exits._PROCESS_EXIT, "COMMAND": "ExecStart", "EXIT_CODE": "dumped"}
    line = json.dumps({**entry, "EXIT_STATUS": "11", "__REALTIME_TIMESTAMP": "1795614827250203"})
    monkeypatch.setattr(systemd_exits, "run", lambda argv, seconds, listing: Acted("", 0, f"{line}\nno JSON\n[]"))
    assert systemd_exits.told("a.service", 1795614827.0) == "SIGSEGV"
    assert systemd_exits.told("a.service", 1795614828.0) == ""


def test_the_kernels_lack_of_memory_counts_more_than_its_signal() -> None:
    killed = {"MESSAGE_ID": systemd_exits._PROCESS_EXIT, "COMMAND": "ExecStart", "INVOCATION_ID": "x"}
    killed |= {"EXIT_CODE": "killed", "EXIT_STATUS": "9"}
    oom = {"MESSAGE_ID": systemd_exits._OUT_OF_MEMORY, "INVOCATION_ID": "x"}
    stopping = {**killed, "COMMAND": "ExecStop", "EXIT_CODE": "exited", "EXIT_STATUS": "1"}
    assert systemd_exits._newest([stopping, killed]) == "SIGKILL"
    assert systemd_exits._newest([oom, killed]) == systemd_exits._newest([killed, oom]) == "oom-kill"
    assert systemd_exits._newest([killed, {**oom, "INVOCATION_ID": "before"}]) == "SIGKILL"
