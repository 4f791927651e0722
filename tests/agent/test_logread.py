"""The read `logs`: lines within bounds; the journal's words, files that grow and rotate, a real supervisord."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent import scrub
from agent.allow import Allow
from agent.logread import LogReader
from agent.managers.base import Acted, Manager, Service
from agent.managers.loglines import CHUNK, Log, Wanted, from_file, from_journal, plain
from agent.managers.supervisord import Supervisord
from agent.managers.systemd import Systemd
from agent.managers.sysv import SysV
from agent.reads import NoAnswer, Read
from agent.servicetable import ServiceTable
from tests.agent.conftest import AgentStarter, eventually
from tests.agent.toyhub import ToyHub

MICROS = "1795600801500000"  # 2026-11-25 10:00:01.5


def entry(cursor: str, **fields: Any) -> str:
    return json.dumps({"__CURSOR": cursor, "__REALTIME_TIMESTAMP": MICROS, **fields})


def texts(log: Log) -> list[str]:
    return [line.text for line in log.lines]


def test_the_journals_entries_are_lines_with_time_level_and_source() -> None:
    output = "\n".join(
        [
            'ut off":"here"}',
            entry("a", MESSAGE="Started.", PRIORITY="6", SYSLOG_IDENTIFIER="systemd", _PID="1"),
            entry("b", MESSAGE=[99, 97, 102, 233], PRIORITY="3", _COMM="app"),
            entry("c", MESSAGE=None),
            entry("d", MESSAGE=["one", "two"], PRIORITY=["3"]),
        ]
    )
    lines, cursors = zip(*from_journal(output), strict=True)
    assert cursors == ("a", "b", "c", "d")
    assert lines[0] == ("2026-11-25T10:00:01.500Z", 6, "systemd[1]", "Started.")
    assert lines[1][1:] == (3, "app", "caf�")
    assert lines[2][1:] == (None, "", "")
    assert lines[3][3] == "one two"


def test_a_journal_with_more_than_is_wanted_after_the_cursor_gives_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def journalctl(argv: list[str], seconds: float, listing: int = 0) -> Any:
        asked.append(argv)
        numbers = range(4) if any("after-cursor" in word for word in argv) else range(90, 94)
        return Acted("", 0, "\n".join(entry(f"c{n}", MESSAGE=str(n)) for n in numbers))

    monkeypatch.setattr("agent.managers.systemd.run", journalctl)
    log = Systemd().read_log("a.service", Wanted(3, 4, "c"), 5)
    assert (texts(log), log.cursor, log.missed) == (["91", "92", "93"], "c93", True)
    assert "--priority=4" in asked[1]
    assert not any("after-cursor" in word for word in asked[1])


def test_a_file_is_followed_through_growth_flood_and_rotation(tmp_path: Path) -> None:
    file = tmp_path / "app.log"
    file.write_text("".join(f"{n}\n" for n in range(10)))
    log = from_file(str(file), Wanted(3))
    assert (texts(log), log.missed) == (["7", "8", "9"], False)
    assert texts(from_file(str(file), Wanted(3, after=log.cursor))) == []
    with file.open("a") as more:
        more.write("new\n")
    after = from_file(str(file), Wanted(3, after=log.cursor))
    assert (texts(after), after.missed) == (["new"], False)
    with file.open("a") as more:
        more.write("x" * 99 + "\n")
        more.write(("y" * 99 + "\n") * (CHUNK // 100 + 5))
    flood = from_file(str(file), Wanted(3, after=after.cursor))
    assert (texts(flood), flood.missed) == (["y" * 99] * 3, True)
    file.rename(tmp_path / "app.log.1")
    file.write_text("fresh\n")
    fresh = from_file(str(file), Wanted(3, after=flood.cursor))
    assert (texts(fresh), fresh.missed) == (["fresh"], True)
    with pytest.raises(OSError, match=r"directory|not a file"):
        from_file(str(tmp_path), Wanted(3))


def test_a_supervised_programs_output_is_followed(supervisor: str) -> None:
    manager = Supervisord(supervisor)
    eventually(lambda: texts(manager.read_log("web", Wanted(5), 5)) == ["listening"])
    log = manager.read_log("web", Wanted(5), 5)
    assert texts(manager.read_log("web", Wanted(5, after=log.cursor), 5)) == []
    manager.act("restart", "web", 20)
    eventually(lambda: texts(manager.read_log("web", Wanted(5, after=log.cursor), 5)) == ["listening"])
    assert texts(manager.read_log("jobs:one", Wanted(5), 5)) == []


def test_output_that_xml_cannot_carry_is_made_visible(supervisor: str, tmp_path: Path) -> None:
    manager = Supervisord(supervisor)
    eventually(lambda: manager.read_log("web", Wanted(5), 5).lines)
    (written,) = tmp_path.glob("web-stdout*")
    with written.open("a") as file:
        file.write("\x1b[31mred\x1b[0m\n")
    assert texts(manager.read_log("web", Wanted(5), 5))[-1] == "␛[31mred␛[0m"
    assert manager.logs("web", 1) == ["␛[31mred␛[0m"]


def test_an_init_scripts_log_is_the_one_it_names_or_the_usual(tmp_path: Path) -> None:
    scripts, logs = tmp_path / "init.d", tmp_path / "log"
    scripts.mkdir()
    logs.mkdir()
    for name, extra in (("app", f"LOGDIR={tmp_path}\nLOGFILE=$LOGDIR/own.log\n"), ("web", ""), ("mute", "")):
        (scripts / name).write_text(f"#!/bin/sh\n{extra}case $1 in\nstatus) exit 0;;\nesac\n")
        (scripts / name).chmod(0o755)
    (tmp_path / "own.log").write_text("own\n")
    (logs / "web.log").write_text("usual\n")
    manager = SysV(str(scripts), str(tmp_path), str(logs))
    assert [texts(manager.read_log(name, Wanted(5), 5)) for name in ("app", "web", "mute")] == [["own"], ["usual"], []]


class Kept:
    """A manager with one service, whose log is given."""

    name, list_every = "kept", 0.0

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def detect(self) -> bool:
        return True

    def hint(self) -> object:
        return None

    def services(self) -> list[Any]:
        return [Service("web", self.name, {"mainPid": None}, ())]

    def read_log(self, unit: str, wanted: Wanted, seconds: float) -> Log:
        return Log(plain(self.lines[-wanted.lines :]), "c", self.name)


def reader(lines: list[str], patterns: tuple[str, ...] = ("*",)) -> Callable[..., dict[str, Any]]:
    manager: Any = Kept(lines)
    managers: list[Manager] = [manager]
    table = ServiceTable(managers, Allow())
    read = LogReader(table, patterns)
    return lambda target="web", **args: read(Read("1", "logs", target, args, 5.0))


def test_lines_are_bounded_newest_first() -> None:
    told = reader([f"{n} " + "ä" * 3000 for n in range(300)])()
    assert told["cut"]
    assert len(json.dumps(told, ensure_ascii=False).encode()) < 250_000
    assert told["lines"][-1]["text"].startswith("299 ")
    assert max(len(line["text"]) for line in told["lines"]) == 2_000
    assert len(reader(["x"] * 300)(lines=7)["lines"]) == 7


def test_secrets_that_are_named_as_such_are_removed() -> None:
    lines = ["login with password=hunter2 ok", "Authorization: Bearer abcdef123456", "a plain line"]
    told = json.dumps(reader(lines)())
    assert "hunter2" not in told
    assert "abcdef123456" not in told
    assert "a plain line" in told
    assert scrub.text("nothing to hide") == "nothing to hide"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"lines": 0}, "lines"),
        ({"lines": 501}, "lines"),
        ({"lines": True}, "lines"),
        ({"lines": "5"}, "lines"),
        ({"level": 8}, "level"),
        ({"level": "err"}, "level"),
        ({"after": "--merge"}, "after"),
        ({"after": "a\nb"}, "after"),
        ({"after": 5}, "after"),
        ({"target": "--help"}, "not the name of a service"),
        ({"target": "nothing"}, "no service nothing"),
    ],
)
def test_what_is_wrong_with_the_question_is_said(args: dict[str, Any], words: str) -> None:
    with pytest.raises(NoAnswer, match=words):
        reader(["x"])(**args)


def test_the_owner_decides_whose_log_is_read() -> None:
    with pytest.raises(NoAnswer, match="owner does not let the hub read the log of web"):
        reader(["x"], ("app-*", "db"))()
    assert reader(["x"], ("app-*", "w*"))()["lines"]


def test_an_agent_reads_a_log_when_asked(hub: ToyHub, start_agent: AgentStarter, supervisor: str) -> None:
    agent: subprocess.Popen[bytes] = start_agent(SUPERVISOR_SOCKET=supervisor, LOGS="web")
    hub.wait_for(lambda: hub.reports)
    hub.read(1, "logs", "web")
    hub.read(2, "logs", "broken")
    hub.wait_for(lambda: len(hub.answers) == 2)
    told = {number[-1]: body for number, body in hub.answers}
    assert [line["text"] for line in told["1"]["answer"]["lines"]] == ["listening"]
    assert "owner" in told["2"]["error"]
    assert agent.poll() is None
