"""quickstart as a person meets it: the real command, its real parts, and every part killed."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import requests

from tests.frame.quickstart_run import Quickstart, processes_of

pytestmark = pytest.mark.e2e

PASSWORD = "correct-horse-battery"  # of the folder that most tests share


def folder() -> Iterator[Path]:
    parent = Path(tempfile.mkdtemp(prefix="pmonitor-"))
    yield parent / "data"
    for process in processes_of(parent):
        process.kill()
    shutil.rmtree(parent)


fresh = pytest.fixture(folder, name="fresh")
shared = pytest.fixture(folder, name="shared", scope="module")


@pytest.fixture(scope="module")
def runs() -> Iterator[list[Quickstart]]:
    """The runs that tests of this file shared; only the last may still be there."""
    with ExitStack() as stack:
        shared: list[Quickstart] = []
        yield shared
        for run in shared:
            stack.push(run)


@pytest.fixture
def hub(shared: Path, runs: list[Quickstart]) -> Quickstart:
    """A running hub: the one of the test before, or a new one where that test ended it."""
    if not runs or runs[-1].process.poll() is not None:
        runs.append(Quickstart(shared, PMONITOR_ADMIN_PASSWORD=PASSWORD).__enter__())
    return runs[-1]


def one_line(data_dir: Path, *options: str, port: int | None = None) -> str:
    """What a quickstart that cannot start says: one line, and exit code 1."""
    run = Quickstart(data_dir, *options, port=port)
    assert run.process.wait(180) == 1
    (line,) = run.said().splitlines()
    return line


def test_the_first_start_makes_everything_and_the_second_finds_it(fresh: Path) -> None:
    with Quickstart(fresh) as hub:
        said = hub.said()
        assert f"Open {hub.url('')}\n" in said
        (password,) = re.findall(r"password  (\S+)", said)
        session = hub.sign_in(password)
        assert session
        assert not hub.sign_in("admin")
        hub.wait_until(lambda: servers(hub, session))
        (server,) = servers(hub, session)
        hub.wait_until(hub.is_ready)
    with Quickstart(fresh) as hub:
        assert "password  " not in hub.said()
        assert password not in hub.said()
        assert "An admin exists: admin" in hub.said()
        assert hub.sign_in(password)
        # The session goes on, too: its key was kept, and cookies know no ports.
        assert [found["agentId"] for found in servers(hub, session)] == [server["agentId"]]


def servers(hub: Quickstart, session: requests.Session) -> list[dict[str, str]]:
    answer = session.get(hub.url("/api/servers"), timeout=60)
    answer.raise_for_status()
    found: list[dict[str, str]] = answer.json()["servers"]
    return found


def test_ctrl_c_while_starting_leaves_nothing_behind(fresh: Path) -> None:
    run = Quickstart(fresh)
    run.wait_until(lambda: "Database" in run.said())
    run.end(signal.SIGINT)
    assert processes_of(fresh) == []
    assert "Traceback" not in run.said()


@pytest.mark.parametrize("word", ["serve", "agent"])
def test_a_killed_child_comes_back_and_it_is_said(hub: Quickstart, word: str) -> None:
    name = {"serve": "Web", "agent": "Agent"}[word]
    before = hub.child(word)
    before.kill()
    hub.wait_until(lambda: f"{name} started again" in hub.said())
    assert f"{name} ended (killed by SIGKILL)" in hub.said()
    assert hub.child(word).pid != before.pid
    hub.wait_until(hub.is_ready)


def test_a_killed_database_comes_back_with_all_data(hub: Quickstart) -> None:
    (postgres,) = [p for p in processes_of(hub.data_dir) if p.name() == "postgres" and "-D" in p.cmdline()]
    postgres.kill()
    hub.wait_until(lambda: "Database ended; it starts again" in hub.said())
    hub.wait_until(hub.is_ready)
    assert hub.sign_in(PASSWORD)


def test_a_database_that_cannot_start_is_tried_again(hub: Quickstart) -> None:
    (postgres,) = [p for p in processes_of(hub.data_dir) if p.name() == "postgres" and "-D" in p.cmdline()]
    needed = hub.data_dir / "postgres" / "global" / "pg_control"
    needed.rename(needed.with_suffix(".away"))
    postgres.kill()
    hub.wait_until(lambda: "It is tried again in 10 s." in hub.said())
    needed.with_suffix(".away").rename(needed)
    hub.wait_until(hub.is_ready)
    assert hub.sign_in(PASSWORD)


def test_a_taken_port(fresh: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert one_line(fresh, port=port) == f"Port {port} on 127.0.0.1 is taken: use another with --port or PORT."


def test_a_host_that_is_not_ours(fresh: Path) -> None:
    assert one_line(fresh, "--host", "192.0.2.7").startswith("Cannot listen on 192.0.2.7 port ")


def test_a_folder_that_cannot_be_made() -> None:
    assert one_line(Path("/proc/nowhere")) == "The data folder /proc/nowhere cannot be made: No such file or directory."


def test_a_weak_password_is_refused(fresh: Path) -> None:
    run = Quickstart(fresh, PMONITOR_ADMIN_PASSWORD="admin")
    assert run.process.wait(180) == 1
    assert "PMONITOR_ADMIN_PASSWORD is too weak" in run.said()
    assert "Traceback" not in run.said()
    assert processes_of(fresh) == []


def test_a_second_one_on_the_same_data(hub: Quickstart, shared: Path) -> None:
    assert one_line(shared) == (f"Process Monitor already runs on {shared}: {hub.url('')} (process {hub.process.pid})")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_part(hub: Quickstart, shared: Path, number: signal.Signals) -> None:
    assert len({"serve", "agent"} & {word for p in processes_of(shared) for word in p.cmdline()}) == 2
    before = hub.said()
    assert hub.end(number) == 0
    assert hub.said().removeprefix(before) == "Stopping …\nStopped.\n"
    assert processes_of(shared) == []


def test_a_killed_quickstart_takes_its_parts_along_and_the_next_goes_on(hub: Quickstart, shared: Path) -> None:
    parts = psutil.Process(hub.process.pid).children()
    hub.process.kill()
    hub.process.wait()
    with Quickstart(shared, port=hub.port) as again:
        assert "found running" in again.said()
        ours = [p for p in parts if p.is_running() and p.name() != "postgres"]
        assert psutil.wait_procs(ours, 10)[1] == []
        assert again.sign_in(PASSWORD)


def test_everything_killed_at_once_recovers(hub: Quickstart, shared: Path) -> None:
    hub.process.kill()
    for process in processes_of(shared):
        process.kill()
    hub.process.wait()
    with Quickstart(shared) as again:
        assert again.sign_in(PASSWORD)
        again.wait_until(again.is_ready)


def test_an_admin_keeps_its_password_and_no_agent_means_none(hub: Quickstart, shared: Path) -> None:
    hub.end(signal.SIGTERM)
    with Quickstart(shared, "--no-agent", PMONITOR_ADMIN_PASSWORD="another-long-one") as again:
        assert not again.sign_in("another-long-one")
        assert again.sign_in(PASSWORD)
        assert "Agent" not in again.said()
        assert [p for p in processes_of(shared) if "agent" in p.cmdline()] == []


def test_listening_for_others_says_the_address_for_servers(fresh: Path) -> None:
    with Quickstart(fresh, "--no-agent", "--host", "0.0.0.0") as open_hub:  # noqa: S104
        (address,) = re.findall(r"Servers report to (http://\S+)", open_hub.said())
        assert requests.get(f"{address}/healthz", timeout=60).status_code == 200
        stranger = requests.get(open_hub.url("/login/"), headers={"Host": "evil.example"}, timeout=60)
        assert stranger.status_code == 400
