"""The embedded PostgreSQL, with the real programs: it survives what happens to machines."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from pmonitor.embedded import Embedded
from pmonitor.embedded_programs import CannotStart

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = """
import sys; from pathlib import Path; from pmonitor.embedded import Embedded
database = Embedded(Path(sys.argv[1])); print(database.start(), flush=True); print(database.pid(), flush=True)
sys.stdin.read(); database.stop(); print("ended", database.pid() is None, flush=True)
"""
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="root only")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that every user may enter, which pytest's own are not; whatever runs there is ended."""
    parent = Path(tempfile.mkdtemp(prefix="pmonitor-"))
    parent.chmod(0o755)
    yield parent / "data"
    if pid := Embedded(parent / "data").pid():
        os.kill(pid, signal.SIGQUIT)
        psutil.wait_procs([psutil.Process(pid)] if psutil.pid_exists(pid) else [], 5)
    shutil.rmtree(parent)


def run(folder: Path, **popen: Any) -> subprocess.Popen[str]:
    """Another process that starts the database, says its address and process id, and ends it with its input."""
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    arguments = {"env": {**os.environ, "PYTHONPATH": str(ROOT)}, "text": True, "cwd": "/", **pipes, **popen}
    command = [arguments.pop("python", sys.executable), "-c", SCRIPT, str(folder)]
    process: subprocess.Popen[str] = subprocess.Popen(command, **arguments)
    return process


def test_start_gives_an_address_that_answers(folder: Path) -> None:
    database = Embedded(folder)
    with psycopg.connect(database.start()) as connection:
        row = connection.execute("select current_database(), current_setting('server_encoding')").fetchone()
    assert row == ("pmonitor", "UTF8")
    database.stop()
    assert database.pid() is None


def test_only_the_password_opens_it(folder: Path) -> None:
    database = Embedded(folder)
    url = database.start()
    password = url.split(":")[2].split("@")[0]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(url.replace(password, "wrong"))
    assert stat.S_IMODE((folder / "postgres.password").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "postgres").stat().st_mode) == 0o700
    database.stop()


def test_parents_keep_their_permissions(folder: Path) -> None:
    folder.parent.chmod(0o711)
    Embedded(folder / "deep").start()
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o711


def test_kill_9_under_load_keeps_every_committed_row(folder: Path) -> None:
    database = Embedded(folder)
    url = database.start()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table rows (number int primary key)")
    committed: list[int] = []
    writer = threading.Thread(target=_write_until_it_breaks, args=[url, committed])
    writer.start()
    while len(committed) < 500:
        time.sleep(0.01)
    os.kill(database.pid() or 0, signal.SIGKILL)
    writer.join()
    with psycopg.connect(Embedded(folder).start()) as connection:
        found = {row[0] for row in connection.execute("select number from rows")}
    assert set(committed) <= found


def _write_until_it_breaks(url: str, committed: list[int]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        try:
            while True:
                connection.execute("insert into rows values (%s)", [len(committed)])
                committed.append(len(committed))
        except psycopg.OperationalError:
            return


def test_a_killed_process_leaves_it_running_and_the_next_adopts_it(folder: Path) -> None:
    with run(folder) as first:
        assert first.stdout
        url, pid = first.stdout.readline().strip(), int(first.stdout.readline())
        first.kill()
    database = Embedded(folder)
    assert database.start() == url
    assert (database.adopted, database.pid()) == (True, pid)
    database.stop()
    assert not psutil.pid_exists(pid)


def test_it_runs_as_long_as_somebody_uses_it(folder: Path) -> None:
    first, second = Embedded(folder), Embedded(folder)
    first.start()
    url = second.start()
    first.stop()
    psycopg.connect(url).close()
    second.stop()
    assert second.pid() is None


def test_two_that_start_at_once_share_one(folder: Path) -> None:
    with run(folder) as one, run(folder) as two:
        assert one.stdout
        assert two.stdout
        assert (one.stdout.readline(), one.stdout.readline()) == (two.stdout.readline(), two.stdout.readline())
        outputs = [one.communicate("")[0], two.communicate("")[0]]
    assert "ended True\n" in outputs


def test_a_pid_file_whose_number_is_another_process_is_stale(folder: Path) -> None:
    database = Embedded(folder)
    database.start()
    lines = (folder / "postgres" / "postmaster.pid").read_text().split("\n")
    os.kill(database.pid() or 0, signal.SIGKILL)
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (folder / "postgres" / "postmaster.pid").write_text("\n".join([str(stranger.pid), *lines[1:]]))
        again = Embedded(folder)
        psycopg.connect(again.start()).close()
        assert stranger.poll() is None
        again.stop()
    finally:
        stranger.kill()
        stranger.wait()


def test_a_taken_port_gives_another(folder: Path) -> None:
    database = Embedded(folder)
    database.start()
    before = database.port()
    database.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", before))
        other.listen()
        psycopg.connect(database.start()).close()
    assert database.port() != before
    database.stop()


def test_an_initdb_that_was_killed_is_begun_again(folder: Path) -> None:
    folder.mkdir()
    (folder / "postgres.new").mkdir()
    (folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    database = Embedded(folder)
    psycopg.connect(database.start()).close()
    database.stop()


@pytest.mark.parametrize("settings", [("shared_buffers=nonsense",), ("no_such_setting=1",)])
def test_a_start_that_fails_says_why_in_one_line(folder: Path, settings: tuple[str]) -> None:
    with pytest.raises(CannotStart, match=settings[0].split("=")[0]) as caught:
        Embedded(folder, settings).start()
    assert len(str(caught.value).splitlines()) == 1


def test_another_password_file_says_so(folder: Path) -> None:
    database = Embedded(folder)
    database.start()
    (folder / "postgres.password").write_text("something else")
    with pytest.raises(CannotStart, match=r"postgres\.password"):
        Embedded(folder).start()


def test_a_cluster_of_a_version_that_is_not_here_says_so(folder: Path) -> None:
    (folder / "postgres").mkdir(parents=True)
    (folder / "postgres" / "PG_VERSION").write_text("9\n")
    with pytest.raises(CannotStart, match="PostgreSQL 9"):
        Embedded(folder).start()


def test_a_folder_that_cannot_be_made_says_so() -> None:
    with pytest.raises(CannotStart, match="/proc/nowhere cannot be made"):
        Embedded(Path("/proc/nowhere")).start()


@root_only
def test_root_without_user_namespaces_runs_it_as_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")  # no unshare
    database = Embedded(folder)
    psycopg.connect(database.start()).close()
    assert psutil.Process(database.pid()).uids().real == 65534
    monkeypatch.undo()
    database.stop()
    psycopg.connect(database.start()).close()  # and goes on so, once the folder is nobody's
    database.stop()


@root_only
def test_a_folder_that_nobody_may_enter_says_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.parent.chmod(0o700)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(CannotStart, match=f"user 65534 it may not enter {folder}"):
        Embedded(folder).start()


@root_only
@pytest.mark.parametrize("uid", [65534, 4711], ids=["with a name", "a number only"])
def test_a_plain_user_runs_it_and_another_is_told_whose_it_is(folder: Path, uid: int) -> None:
    folder.parent.chmod(0o777)
    with run(folder, user=uid, group=uid, extra_groups=[], **python_for_all()) as first:
        assert first.stdout
        assert first.stdout.readline().startswith("postgres://pmonitor:")
        assert psutil.Process(int(first.stdout.readline())).uids().real == uid
        with run(folder, user=4712, group=4712, extra_groups=[], **python_for_all()) as second:
            said = second.communicate("")[1]
        assert "cannot be written to" in said
        assert len(said.splitlines()) == 1
        assert first.communicate("")[0] == "ended True\n"


def python_for_all() -> dict[str, Any]:
    """Arguments for run(): a Python of our version that every user may start, with our packages."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            subprocess.run([python, "-c", ""], check=True, user=4711, group=4711, extra_groups=[])
        except (OSError, subprocess.CalledProcessError):
            continue
        packages = Path(psycopg.__file__).parent.parent
        return {"python": python, "env": {**os.environ, "PYTHONPATH": f"{ROOT}:{packages}"}}
    pytest.skip(f"{sys.executable} is closed to other users and Debian's Python is another version")
