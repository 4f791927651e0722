"""Service managers: real init scripts, a real supervisord."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from agent.allow import Allow
from agent.managers import base
from agent.managers.base import ManagerError, Service
from agent.managers.supervisord import Supervisord
from agent.managers.sysv import SysV
from agent.procstat import start_ticks
from agent.servicetable import ServiceTable
from tests.agent.conftest import eventually


def test_output_is_cut_to_its_end() -> None:
    done = base.run(["sh", "-c", "yes | head -c 100000; echo the end; exit 3"], 10)
    assert done.exit_code == 3
    assert len(done.output) <= 4096
    assert done.output.endswith("the end")


def test_a_program_that_does_not_end_is_left_in_time() -> None:
    started = time.monotonic()
    assert base.run(["sleep", "100"], 0.3).exit_code is None
    assert time.monotonic() - started < 50


def test_a_daemon_that_keeps_the_pipe_holds_nobody_up() -> None:
    started = time.monotonic()
    done = base.run(["sh", "-c", "echo ok; sleep 50 & exit 0"], 100)
    assert (done.exit_code, done.output) == (0, "ok")
    assert time.monotonic() - started < 25


def test_many_open_descriptors_do_not_matter() -> None:
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(1100)]
    try:
        assert base.run(["echo", "ok"], 10).output == "ok"
    finally:
        for descriptor in held:
            os.close(descriptor)


def test_a_missing_program_is_a_manager_error() -> None:
    with pytest.raises(ManagerError, match="no-such-program"):
        base.run(["no-such-program"], 1)


SCRIPT = """\
#!/bin/sh
### BEGIN INIT INFO
# Provides:          sleeper
# Short-Description: Sleeps for a living
### END INIT INFO
RUNDIR={run}/deep
PIDFILE=$RUNDIR/it.pid
mkdir -p $RUNDIR
case "$1" in
  start) sleep 1000 >/dev/null 2>&1 & echo $! > $PIDFILE; echo "Starting sleeper" ;;
  stop) kill "$(cat $PIDFILE)" && rm $PIDFILE ;;
  restart|force-reload) "$0" stop; "$0" start ;;
  status)
    kill -0 "$(cat $PIDFILE 2>/dev/null)" 2>/dev/null && exit 0
    [ -e $PIDFILE ] && exit 1; exit 3 ;;
  *) echo "usage"; exit 2 ;;
esac
"""


@pytest.fixture
def sysv(tmp_path: Path) -> SysV:
    scripts, run_folder = tmp_path / "init.d", tmp_path / "run"
    scripts.mkdir()
    run_folder.mkdir()
    (scripts / "sleeper").write_text(SCRIPT.format(run=run_folder))
    (scripts / "halt").write_text(f"#!/bin/sh\ntouch {tmp_path}/halted\n")
    for script in scripts.iterdir():
        script.chmod(0o755)
    (scripts / "README").write_text("status) is not a script\n")
    return SysV(str(scripts), str(run_folder))


def test_init_scripts_are_listed_without_running_those_that_know_no_status(sysv: SysV, tmp_path: Path) -> None:
    (service,) = sysv.services()
    assert service.name == "sleeper"
    assert service.facts["description"] == "Sleeps for a living"
    assert service.facts["activeState"] == "inactive"
    assert service.possible == ("start", "stop", "restart")
    assert not (tmp_path / "halted").exists()


def test_init_scripts_offer_nothing_to_who_is_not_root(sysv: SysV, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert [service.possible for service in sysv.services()] == [()]


def test_an_init_script_is_started_restarted_killed_and_stopped(sysv: SysV) -> None:
    assert sysv.act("start", "sleeper", 10).output == "Starting sleeper"
    first = sysv.show("sleeper")
    assert (first["activeState"], first["subState"]) == ("active", "running")
    assert sysv.act("restart", "sleeper", 10).exit_code == 0
    second = sysv.show("sleeper")
    assert second["mainPid"] not in (None, first["mainPid"])
    os.kill(second["mainPid"], signal.SIGKILL)
    eventually(lambda: sysv.show("sleeper")["activeState"] == "failed")
    assert sysv.show("sleeper")["subState"] == "dead with pid file"
    sysv.act("start", "sleeper", 10)
    assert sysv.act("stop", "sleeper", 10).exit_code == 0
    assert sysv.show("sleeper")["activeState"] == "inactive"


@pytest.mark.parametrize("unit", ["halt", "README", "nothing", "../run/x"])
def test_what_is_no_service_is_not_run(sysv: SysV, unit: str) -> None:
    with pytest.raises(ManagerError, match="no init script"):
        sysv.act("start", unit, 5)


def test_supervisord_is_found_by_its_socket(supervisor: str, tmp_path: Path) -> None:
    assert Supervisord(supervisor).detect()
    assert not Supervisord(str(tmp_path / "nothing.sock")).detect()


def test_supervised_programs_are_listed_in_the_common_words(supervisor: str) -> None:
    services = {s.name: s for s in Supervisord(supervisor).services()}
    assert set(services) == {"web", "broken", "shortlived", "jobs:one"}
    web = services["web"].facts
    assert (web["activeState"], web["subState"]) == ("active", "running")
    assert web["startTicks"] == start_ticks(web["mainPid"])
    assert web["since"].endswith("Z")
    assert services["broken"].facts["activeState"] == "inactive"
    assert services["broken"].possible == ("start", "stop", "restart")


def test_a_supervised_program_is_restarted(supervisor: str) -> None:
    manager = Supervisord(supervisor)
    before = manager.show("web")
    acted = manager.act("restart", "web", 20)
    assert acted.exit_code == 0
    assert acted.output == "stopProcess: done\nstartProcess: done"
    assert manager.show("web")["mainPid"] != before["mainPid"]
    assert manager.logs("web", 1) == ["listening"]


def test_a_program_that_cannot_start_is_told(supervisor: str) -> None:
    acted = Supervisord(supervisor).act("restart", "broken", 20)
    assert acted.exit_code == 1
    assert acted.output.startswith("stopProcess: was not running\nstartProcess: ")
    eventually(lambda: Supervisord(supervisor).show("broken")["activeState"] == "failed")


def test_a_supervisord_that_is_gone_is_a_manager_error(tmp_path: Path) -> None:
    with pytest.raises(ManagerError, match="does not answer"):
        Supervisord(str(tmp_path / "gone.sock")).show("web")


def test_the_table_offers_what_both_sides_permit(supervisor: str) -> None:
    table = ServiceTable([Supervisord(supervisor)], Allow("restart:web reload,stop:jobs:*"))
    table.refresh(lambda pid: None)
    verbs = {s["name"]: s["verbs"] for s in table.wire()}
    assert verbs == {"web": ["restart"], "jobs:one": ["stop"], "broken": [], "shortlived": []}
    assert all(s["can"] == ["start", "stop", "restart"] for s in table.wire())
    assert table.main_pids() == {s["mainPid"] for s in table.wire() if s["mainPid"]}


def test_the_table_knows_who_owns_a_service(supervisor: str, sysv: SysV) -> None:
    table = ServiceTable([sysv, Supervisord(supervisor)], Allow(""))
    assert table.managers() == ["sysv", "supervisord"]
    owners = {unit: table.manager_of(unit) for unit in ("web", "sleeper", "nothing")}
    assert {unit: owner and owner.name for unit, owner in owners.items()} == {
        "web": "supervisord",
        "sleeper": "sysv",
        "nothing": None,
    }


def test_the_table_reads_again_when_a_main_process_is_gone(sysv: SysV) -> None:
    sysv.act("start", "sleeper", 10)
    table = ServiceTable([sysv], Allow(""))
    table.refresh(lambda pid: None)
    (service,) = table.wire()
    pid, ticks = service["mainPid"], service["startTicks"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: sysv.show("sleeper")["activeState"] == "failed")
    table.refresh({pid: ticks}.get)
    assert table.wire()[0]["activeState"] == "active"  # nothing hinted at a change
    table.refresh({pid: ticks + 1}.get)
    assert table.wire()[0]["activeState"] == "failed"


def test_a_list_is_counted_once_it_is_there(sysv: SysV, monkeypatch: pytest.MonkeyPatch) -> None:
    table, services, counted = ServiceTable([sysv], Allow("")), sysv.services, []

    def reading() -> list[Service]:
        counted.append(table.lists_read)
        return services()

    monkeypatch.setattr(sysv, "services", reading)
    before = table.lists_read
    table.refresh(lambda pid: None)
    assert (counted, table.lists_read) == ([before], before + 1)
