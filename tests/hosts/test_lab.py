"""The lab itself: what the other tests in this folder stand on."""

import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.hosts import lab as lab_module
from tests.hosts.host import Host
from tests.hosts.lab import Lab
from tests.hosts.layout import HUB_ADDRESS, LabError
from tests.hosts.sweep import leftovers
from tests.hosts.waiting import eventually

PORT = 8931


class _Greeter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello from the hub")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: pytest's output is for failures."""


@pytest.fixture(scope="module")
def hub_url(lab: Lab) -> Iterator[str]:
    """A small web server where the hub under test will listen."""
    server = ThreadingHTTPServer((lab.hub_address, PORT), _Greeter)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{lab.hub_address}:{PORT}/"
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(host: Host, url: str) -> str:
    """What the server gets from the hub within 2 s; empty when nothing."""
    return host.run("curl", "-sS", "--max-time", "2", url, check=False).stdout


def pings_answered(host: Host, count: int) -> int:
    sent = host.run("ping", "-q", "-c", str(count), "-i", "0.01", "-W", "1", HUB_ADDRESS, check=False).stdout
    summary = next(line for line in sent.splitlines() if "packets transmitted" in line)
    return int(summary.split(", ")[1].split()[0])


def test_systemd_runs_as_pid_1_and_is_up(host: Host) -> None:
    assert host.systemctl("is-system-running", "--wait", check=False) in {"running", "degraded"}
    assert host.read("/proc/1/comm") == "systemd\n"
    assert host.run("hostname").stdout == "srv1\n"


def test_restarting_redis_changes_its_main_process(host: Host) -> None:
    before = host.wait_unit("redis-server.service", ActiveState="active")
    host.systemctl("restart", "redis-server.service")
    after = host.wait_unit("redis-server.service", ActiveState="active", SubState="running")
    assert int(before["MainPID"]) > 1
    assert int(after["MainPID"]) > 1
    assert after["MainPID"] != before["MainPID"]
    assert host.run("redis-cli", "ping").stdout == "PONG\n"


def test_the_journal_keeps_what_a_unit_says(host: Host) -> None:
    host.install_unit("pm-says.service", "[Service]\nType=oneshot\nExecStart=/bin/echo a line of its own\n")
    host.systemctl("start", "pm-says.service")
    eventually(lambda: host.journal("pm-says.service"), lambda text: "a line of its own" in text)


def test_a_failing_program_is_an_error_that_says_what_it_said(host: Host) -> None:
    with pytest.raises(LabError, match=r"srv1: ls /nowhere: exit 2: .*No such file"):
        host.run("ls", "/nowhere")
    assert host.run("ls", "/nowhere", check=False).returncode == 2


def test_files_and_folders_are_copied_in(host: Host, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "script").write_text("#!/bin/sh\necho ran\n")
    (tmp_path / "deep" / "script").chmod(0o755)
    host.copy_tree(tmp_path, "/opt/a tree")
    host.write("/run/secret/key", "ț is not ASCII\n", 0o600)
    assert host.run("/opt/a tree/deep/script").stdout == "ran\n"
    assert host.read("/run/secret/key") == "ț is not ASCII\n"
    assert host.run("stat", "-c", "%a %U", "/run/secret/key").stdout == "600 root\n"


def test_the_hub_is_reached_unless_the_cable_is_cut(host: Host, hub_url: str) -> None:
    assert fetch(host, hub_url) == "hello from the hub"
    host.cut()
    assert fetch(host, hub_url) == ""
    host.heal()
    eventually(lambda: fetch(host, hub_url), lambda page: page == "hello from the hub")


def test_loss_loses_about_the_share_it_was_given(host: Host) -> None:
    assert pings_answered(host, 100) == 100
    host.loss(40)
    # 40 % each way leaves 36 of 100 round trips; the bounds are five standard deviations away.
    assert 12 <= pings_answered(host, 100) <= 60
    host.loss(100)
    assert pings_answered(host, 5) == 0
    host.heal()
    assert pings_answered(host, 100) == 100


def test_a_hung_server_answers_nothing_until_it_is_thawed(host: Host) -> None:
    host.hang()
    with pytest.raises(subprocess.TimeoutExpired):
        host.run("true", timeout=0.5)
    host.thaw()
    assert host.run("echo", "back").stdout == "back\n"


def test_a_power_cut_keeps_the_disk_and_loses_the_memory(host: Host) -> None:
    host.write("/var/lib/kept", "on disk")
    host.write("/run/lost", "in memory")
    boot_id = host.read("/proc/sys/kernel/random/boot_id")
    host.power_cut()
    assert not host.running
    with pytest.raises(LabError, match="srv1 is off"):
        host.run("true")
    host.write("/etc/while-off", "written to the disk of a server that is off")
    host.boot()
    assert host.read("/var/lib/kept") == "on disk"
    assert host.read("/etc/while-off").startswith("written")
    assert host.run("test", "-e", "/run/lost", check=False).returncode == 1
    assert host.read("/proc/sys/kernel/random/boot_id") != boot_id


def test_a_reboot_asked_for_inside_is_carried_out(host: Host) -> None:
    boot_id = host.read("/proc/sys/kernel/random/boot_id")
    host.reboot()
    assert host.read("/proc/sys/kernel/random/boot_id") != boot_id
    host.wait_unit("redis-server.service", ActiveState="active")


def test_an_orderly_stop_stops_the_services_first(host: Host) -> None:
    stopping = "[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/touch /var/lib/stopped-in-order\n"
    host.install_unit("pm-tells.service", stopping)
    host.systemctl("start", "pm-tells.service")
    host.stop()
    assert not host.running
    host.boot()
    host.run("test", "-e", "/var/lib/stopped-in-order")


def test_servers_boot_side_by_side_and_have_disks_of_their_own(lab: Lab) -> None:
    before = leftovers()
    left, right = lab.boot("left", "right")
    left.write("/root/mine", "left")
    assert right.run("test", "-e", "/root/mine", check=False).returncode == 1
    assert left.run("ping", "-c", "1", "-W", "2", right.address).returncode == 0
    assert left.read("/etc/machine-id") != right.read("/etc/machine-id")
    lab.discard(left)
    lab.discard(right)
    assert leftovers() == before


def test_without_root_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "needs root" in lab_module.missing()
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs root"):
        lab_module.lab_or_skip()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs root"):
        lab_module.lab_or_skip()
