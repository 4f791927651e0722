"""`manage.py quickstart`: the whole of Process Monitor from one command, step by step, on the embedded default.

Runs before and without Django: it starts the database that Django's settings need, then looks after three children:
the database, web with worker, and this machine's agent. Whatever is killed starts again; whoever kills this process
finds everything where it was at the next start.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pmonitor import addresses, embedded, embedded_programs, hub_processes, standalone
from pmonitor.supervise import ENDING, Child

SUMMARY = "Start everything on this machine: database, tables, first admin, web and worker, and this machine's agent."
PORT_LEFTOVER_SEC = 3.0  # a killed hub's web process may still be answering its last requests
LOOK_SEC = 1.0
DATABASE_AGAIN_SEC = 10.0  # after a start that failed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of quickstart; PORT and PMONITOR_DATA_DIR in the environment give two of the defaults."""
    folder = embedded.default_data_dir()
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port, default=os.environ.get("PORT") or "8000", help="(default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, default=folder, help="where everything is kept (default: %(default)s)")
    parser.add_argument("--no-agent", action="store_true", help="do not monitor this machine")


def port(text: str) -> int:
    """A port number from its text."""
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: use a number from 1 to 65535")
    return int(text)


def main(arguments: list[str]) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser("manage.py quickstart", description=SUMMARY)
    add_arguments(parser)
    options = parser.parse_args(arguments)
    run(options.host, options.port, options.data_dir.absolute(), agent=not options.no_agent)


def run(host: str, port: int, data_dir: Path, *, agent: bool) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP. Raises SystemExit with one clear line when it cannot start."""
    embedded.make_data_dir(data_dir)
    os.environ["PMONITOR_DATA_DIR"] = str(data_dir)  # for every part
    with _claimed(data_dir, addresses.url(host, port)):
        _wait_for_port(host, port)
        for number in ENDING:
            signal.signal(number, signal.default_int_handler)  # KeyboardInterrupt, wherever we are
        hub = Hub(host, port, data_dir)
        try:
            hub.start(agent=agent)
            hub.look_after()
        except KeyboardInterrupt:
            say("Stopping …")
        finally:
            for number in ENDING:
                signal.signal(number, signal.SIG_IGN)
            hub.stop()
        say("Stopped.")


class Hub:
    """The parts of one running hub."""

    def __init__(self, host: str, port: int, data_dir: Path) -> None:
        self.host, self.port, self.data_dir = host, port, data_dir
        self.database: embedded.Embedded | None = None
        self.database_due = 0.0  # not to be started before
        self.children: list[Child] = []  # in the order they start

    def start(self, *, agent: bool) -> None:
        """Start the parts one after the other, saying each."""
        say(f"Process Monitor, data in {self.data_dir}")
        self._start_database()
        standalone.keep_secret_key(self.data_dir)
        hub_processes.tell_own_address(self.host, self.port)
        hub_processes.allow_own_names(self.host)
        if hub_processes.run_command("prepare") != 0:
            raise SystemExit("The tables or the first admin could not be made; see above.")
        self._start_web()
        if agent:
            self._start_agent()
        say("")
        say(f"  Open {addresses.url(self.host, self.port)}")
        if not addresses.is_loopback(self.host):
            say(f"  Servers report to {addresses.url_for_servers(self.host, self.port)}")
        say("  Ctrl-C stops everything; the next start finds all data.")
        say("")

    def look_after(self) -> None:
        """Keep every part running, until interrupted."""
        while True:
            self._keep_database()
            for child in self.children:
                if words := child.keep():
                    say(f"{time.strftime('%H:%M:%S')} {words}")
            time.sleep(LOOK_SEC)

    def stop(self) -> None:
        """End the parts in the reverse order."""
        for child in reversed(self.children):
            child.stop(8)
        if self.database is not None:
            self.database.stop()

    def _start_database(self) -> None:
        if standalone.is_set("DATABASE_URL"):
            say(step("Database", "the one DATABASE_URL names"))
            return
        began = time.monotonic()
        database = embedded.Embedded(self.data_dir)
        os.environ["DATABASE_URL"] = database.start()
        self.database = database
        verb = "found running" if database.adopted else f"ready in {time.monotonic() - began:.1f} s"
        say(step("Database", f"PostgreSQL on 127.0.0.1:{database.port()}, {verb}"))

    def _keep_database(self) -> None:
        if self.database is None or self.database.pid() is not None or time.monotonic() < self.database_due:
            return
        say(f"{time.strftime('%H:%M:%S')} Database ended; it starts again")
        try:
            before, now = os.environ["DATABASE_URL"], self.database.start()
        except embedded_programs.CannotStart as error:
            self.database_due = time.monotonic() + DATABASE_AGAIN_SEC
            say(f"{time.strftime('%H:%M:%S')} {error} It is tried again in {DATABASE_AGAIN_SEC:.0f} s.")
            return
        os.environ["DATABASE_URL"] = now
        if now != before:  # its port was taken meanwhile
            self.children[0].restart()

    def _start_web(self) -> None:
        began = time.monotonic()
        web = hub_processes.web(self.host, self.port)
        self.children.append(web)
        web.start()
        if not hub_processes.wait_for_health(web, self.host, self.port):
            raise SystemExit("Web did not start; see above.")
        say(step("Web", f"with the worker's steps, ready in {time.monotonic() - began:.1f} s"))

    def _start_agent(self) -> None:
        agent = hub_processes.agent(addresses.url(self.host, self.port), self.data_dir)
        self.children.append(agent)
        agent.start()
        say(step("Agent", f"this machine reports as {hub_processes.agent_id()}, log in {agent.log}"))


def say(line: str) -> None:
    """A line for who started us, at once also where the output is no terminal."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def step(name: str, words: str) -> str:
    """A line about one part."""
    return f"  {name:<10} {words}"


@contextmanager
def _claimed(data_dir: Path, url: str) -> Iterator[None]:
    """Be the only quickstart of the data folder; the lock goes with the process, however it ends."""
    path = data_dir / "quickstart.lock"
    with open(path, "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise SystemExit(f"Process Monitor already runs on {data_dir}: {lock.read().strip()}") from error
        lock.truncate(0)
        lock.write(f"{url} (process {os.getpid()})\n")
        lock.flush()
        yield


def _wait_for_port(host: str, port: int) -> None:
    deadline = time.monotonic() + PORT_LEFTOVER_SEC
    try:
        while not addresses.is_free(host, port):
            if time.monotonic() > deadline:
                raise SystemExit(f"Port {port} on {host} is taken: use another with --port or PORT.")
            time.sleep(0.2)
    except OSError as error:
        raise SystemExit(f"Cannot listen on {host} port {port}: {error.strerror}.") from error
