"""systemd's words parsed."""

from __future__ import annotations

import os
import subprocess

import pytest

from agent.managers import systemd
from agent.managers.base import Acted
from agent.procstat import start_ticks

SHOWN = """\
Type=oneshot
Id=redis-server.service
Description=Advanced key-value store
LoadState=loaded
ActiveState=active
SubState=running
MainPID={pid}
NRestarts=3
Result=success
StateChangeTimestamp=Mon 2026-11-23 04:58:09 UTC
MemoryCurrent=8388608
TasksCurrent=5
UnitFileState=enabled
Names=redis-server.service redis.service
TriggeredBy=redis.socket redis.timer
ExecMainCode=2
ExecMainStatus=11
ExecReload={{ path=/bin/kill ; argv[]=/bin/kill -HUP ; start_time=[Mon 2026-11-23 05:00:00 UTC] ; \
stop_time=[Mon 2026-11-23 05:00:01 UTC] ; pid=99 ; code=exited ; status=3 }}
CanStart=yes
CanStop=yes
CanReload=no
RefuseManualStart=no
RefuseManualStop=no

Id=nginx.service
Description=A = B
LoadState=masked
ActiveState=inactive
SubState=dead
MainPID=0
NRestarts=0
Result=success
StateChangeTimestamp=
MemoryCurrent=[not set]
TasksCurrent=18446744073709551615
UnitFileState=masked
CanStart=no
CanStop=yes
CanReload=yes
RefuseManualStart=no
RefuseManualStop=no

Id=dbus.service
LoadState=loaded
ActiveState=active
SubState=running
MainPID=0
NRestarts=0
CanStart=yes
CanStop=yes
CanReload=yes
RefuseManualStart=no
RefuseManualStop=yes
"""


def test_systemctl_show_is_read_whole() -> None:
    blocks = systemd.parse(SHOWN.format(pid=os.getpid()))
    redis, nginx, dbus = (systemd._service(block, {"redis.socket"}) for block in blocks)
    assert redis.facts["mainPid"] == os.getpid()
    assert redis.facts["startTicks"] == start_ticks(os.getpid())
    assert redis.facts["since"] == "2026-11-23T04:58:09Z"
    assert (redis.facts["nRestarts"], redis.facts["memMB"], redis.facts["tasks"]) == (3, 8.0, 5)
    assert redis.facts["aliases"] == ["redis.service"]
    assert redis.facts["triggeredBy"] == ["redis.socket"], "the timer is not at work"
    assert (redis.facts["lastExit"], redis.facts["reloadStatus"]) == ("SIGSEGV", 3)
    assert redis.facts["reloadedAt"] == "2026-11-23T05:00:01Z"
    assert (nginx.facts["lastExit"], nginx.facts["reloadedAt"], nginx.facts["aliases"]) == ("", None, [])
    assert redis.possible == ("start", "stop", "restart")
    assert nginx.facts["description"] == "A = B"
    assert (nginx.facts["mainPid"], nginx.facts["memMB"], nginx.facts["tasks"], nginx.facts["since"]) == (None,) * 4
    assert nginx.possible == ()
    assert dbus.possible == ("start", "reload")


def test_templates_and_missing_units_are_no_services() -> None:
    assert systemd.unit_files("getty@.service enabled enabled\nssh.service enabled\nx.timer static\n\n") == [
        "ssh.service"
    ]
    assert not systemd._is_service({"Id": "gone.service", "LoadState": "not-found"})
    assert not systemd._is_service({"Id": "a@.service", "LoadState": "loaded"})
    assert systemd._is_service({"Id": "getty@tty1.service", "LoadState": "loaded"})


def test_a_main_process_that_ends_while_systemd_tells_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    asked: list[list[str]] = []

    def systemctl(argv: list[str], seconds: float, listing: int = 0) -> Acted:
        asked.append(argv[argv.index("--") + 1 :])
        pid = ended.pid if len(asked) == 1 else os.getpid()
        told = {"a": pid, "b": os.getpid(), "c": 0} if len(asked) == 1 else {"a": pid}
        return Acted("", 0, "\n\n".join(f"Id={name}.service\nMainPID={pid}" for name, pid in told.items()))

    monkeypatch.setattr("agent.managers.systemd.run", systemctl)
    blocks = systemd.Systemd()._blocks(["*.service"])
    assert asked == [["*.service"], ["a.service"]]
    assert [block["MainPID"] for block in blocks] == [str(os.getpid()), str(os.getpid()), "0"]


def test_a_masked_service_that_runs_on_can_only_be_stopped() -> None:
    assert systemd._possible({"LoadState": "masked", "ActiveState": "active", "CanStop": "yes"}) == ("stop",)
