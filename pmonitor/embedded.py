"""The embedded default: PostgreSQL out of a Python wheel, kept in the data folder, on the loopback address.

    database = Embedded(default_data_dir())
    url = database.start()      # makes, starts or adopts it; "postgres://pmonitor:…@127.0.0.1:54321/pmonitor"
    database.stop()             # the last process that uses it ends it

No Django here: manage.py starts the database before the settings are read. Any number of processes may start
and stop at once: DATA/postgres.lock serialises them, and each user holds a shared lock on DATA/postgres.users,
which the kernel drops when the process dies, however it dies.
"""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import psutil
import psycopg
from psycopg import sql

from pmonitor import embedded_cluster, embedded_programs, kept
from pmonitor.embedded_programs import CannotStart

NAME = embedded_cluster.ROLE  # of the role and of the database
SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=128MB",
    "max_connections=100",
    "max_wal_size=256MB",
    "max_parallel_workers_per_gather=0",  # to start them takes as long as they save in our longest pages' queries
    "timezone=UTC",
    "log_timezone=UTC",
    "log_checkpoints=off",
)
RECOVERY_SEC = 120  # a crash under load: postgres replays its log before it answers
LEFTOVER_SEC = 10  # children of a killed postgres that have yet to notice
LOG_BYTES = 5_000_000


def default_data_dir() -> Path:
    """PMONITOR_DATA_DIR, or data/ in the checkout."""
    return Path(os.environ.get("PMONITOR_DATA_DIR") or Path(__file__).resolve().parent.parent / "data").absolute()


def make_data_dir(data_dir: Path) -> None:
    """Make the folder if it is not there; raises CannotStart where it cannot be made or written to."""
    try:
        data_dir.mkdir(mode=0o711, parents=True, exist_ok=True)  # may be entered (see Account), not listed
    except OSError as error:
        raise CannotStart(f"The data folder {data_dir} cannot be made: {error.strerror}.") from error
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise CannotStart(f"The data folder {data_dir} cannot be written to.")


class Embedded:
    """The embedded database of one data folder; options are further settings, such as "fsync=off"."""

    def __init__(self, data_dir: Path, options: Sequence[str] = ()) -> None:
        self.data_dir = data_dir.absolute()
        self.cluster = self.data_dir / "postgres"
        self.options = [*SETTINGS, *options]
        self.port_file = self.data_dir / "postgres.port"
        self.log = self.data_dir / "postgres.log"
        self.adopted = False  # whether start() found it running
        self._users: IO[str] | None = None
        self._child: subprocess.Popen[bytes] | None = None

    def url(self) -> str:
        """The address for DATABASE_URL, once started."""
        return f"postgres://{NAME}:{self._password()}@127.0.0.1:{self.port()}/{NAME}"

    def start(self) -> str:
        """Make the database if there is none, start it unless it runs, and return its address.

        Returns when it answers. Raises CannotStart with one clear line.
        """
        make_data_dir(self.data_dir)
        with self._lock():
            embedded_cluster.make(self.cluster, self._password())
            self.adopted = self._runs() and self._wait_until_it_answers()
            if not self.adopted:
                self._launch()
            self._make_database()
            if self._users is None:
                self._users = self._open("postgres.users")
                fcntl.flock(self._users, fcntl.LOCK_SH)
        return self.url()

    def stop(self) -> None:
        """Leave the database; the last process to leave ends it. Open transactions are rolled back."""
        if self._users is None:
            return
        with self._lock():
            users, self._users = self._users, None
            with users:
                try:
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return  # somebody else uses it
                self._end()

    def pid(self) -> int | None:
        """The process id of the postgres that serves this folder now, None when there is none."""
        try:
            pid = int((self.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            ours = process.name().startswith("postgres") and process.cwd() == str(self.cluster.resolve())
        except (FileNotFoundError, ValueError, psutil.Error):
            return None  # a zombie counts as gone
        return pid if ours else None

    def answers(self) -> bool:
        """Whether it takes connections with our password and from our folder."""
        try:
            with self._connect("postgres") as connection:
                row = connection.execute("show data_directory").fetchone()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise CannotStart(f"{self.data_dir}/postgres.password is not this database's password.") from error
            return False
        return row is not None and Path(row[0]).resolve() == self.cluster.resolve()

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with self._open("postgres.lock") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _open(self, name: str) -> IO[str]:
        try:
            return open(self.data_dir / name, "a")
        except PermissionError as error:
            raise embedded_programs.belongs_to_another(self.data_dir / name) from error

    def _password(self) -> str:
        try:
            return kept.secret(self.data_dir / "postgres.password")
        except PermissionError as error:
            raise embedded_programs.belongs_to_another(error.filename) from error

    def port(self) -> int:
        """The port postgres was last told to use."""
        return int(self.port_file.read_text())

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port(),
            user=NAME,
            password=self._password(),
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )

    def _launch(self) -> None:
        """Start postgres; again while what a killed one left goes away, on another port if ours is taken."""
        deadline = time.monotonic() + LEFTOVER_SEC
        while True:
            self._choose_port()
            begin = self._spawn()
            if self._wait_until_it_answers():
                return
            said = _from(self.log, begin)
            leftover = "lock file" in said or "shared memory block" in said
            if (not leftover and "could not bind" not in said) or time.monotonic() > deadline:
                raise CannotStart(
                    f"PostgreSQL did not start: {embedded_programs.telling_line(said)} (more in {self.log})"
                )
            if leftover and self.pid() is None:  # its number now belongs to another process, or to nobody
                (self.cluster / "postmaster.pid").unlink(missing_ok=True)
            time.sleep(0.2)

    def _choose_port(self) -> None:
        if not self.port_file.exists() or not _is_free(self.port()):
            draft = self.port_file.with_suffix(".new")
            draft.write_text(str(_free_port()))
            draft.rename(self.port_file)

    def _spawn(self) -> int:
        """Start postgres; returns where in its log this start begins."""
        account = embedded_programs.account(self.cluster)
        postgres = embedded_programs.find(self.cluster).folder / "postgres"
        settings = [word for option in self.options for word in ("-c", option)]
        command: list[str | Path] = [*account.prefix, postgres, "-D", self.cluster, "-p", str(self.port()), *settings]
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.rename(self.log.with_suffix(".log.1"))
        log = os.open(self.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        begin = os.fstat(log).st_size
        try:
            # A session of its own: Ctrl-C in the terminal ends the hub first, which then ends the database.
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **account.popen,
            )
        finally:
            os.close(log)
        return begin

    def _wait_until_it_answers(self) -> bool:
        """True when it answers, False when it ended instead."""
        deadline = time.monotonic() + RECOVERY_SEC
        while time.monotonic() < deadline:
            if not self._runs():
                return False
            if self.answers():
                return True
            time.sleep(0.03)
        raise CannotStart(f"PostgreSQL does not answer after {RECOVERY_SEC} s; its log is {self.log}.")

    def _runs(self) -> bool:
        if self._child is not None and self._child.poll() is None:
            return True  # before it has written its postmaster.pid, too
        return self.pid() is not None

    def _make_database(self) -> None:
        with self._connect("postgres") as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [NAME]).fetchone():
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(NAME)))

    def _end(self) -> None:
        pid = self.pid()
        if pid is None:
            return
        os.kill(pid, signal.SIGINT)  # fast shutdown
        try:
            if self._child is not None and self._child.pid == pid:
                self._child.wait(20)
            else:
                psutil.Process(pid).wait(20)
        except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
            os.kill(pid, signal.SIGQUIT)  # at once; the next start recovers
        except psutil.NoSuchProcess:
            return


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _from(log: Path, begin: int) -> str:
    with open(log, "rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace")
