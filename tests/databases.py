"""Databases of a test run's own, each a copy of one that was migrated once: migrating takes 40 times as long.

Named after the run and the xdist worker, so that runs side by side do not meet.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

CHECKOUT = Path(__file__).resolve().parent.parent
LOCK = 0x706D7465  # who holds it migrates ("pmte")


def name(of: str = "") -> str:
    """The name of this worker's database for something."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    return "_".join(filter(None, ("test", os.environ["PMONITOR_TEST_RUN"], worker, of)))


def address(database: str) -> str:
    """Where it is, on the suite's server."""
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}"))


def make(database: str) -> str:
    """Make a migrated database, in place of one that is there; returns its address."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        migrated = _migrated(server)
        _run(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)
        _run(server, "CREATE DATABASE {} TEMPLATE {}", database, migrated)
    return address(database)


def drop(database: str) -> None:
    """Drop it, whoever uses it."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        _run(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", database)


def drop_migrated() -> None:
    """Drop what the run's databases were copied from; nobody makes one after that."""
    drop(_migrated_name())


def drop_left_over() -> None:
    """Drop the databases of runs that have ended or were killed."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        names = server.execute("SELECT datname FROM pg_database WHERE datname ~ '^test_[0-9]+_'").fetchall()
        for (found,) in names:
            if not psutil.pid_exists(int(found.split("_")[1])):
                _run(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", found)


def _migrated(server: psycopg.Connection) -> str:
    """This run's migrated database; who asks first makes it, and the others wait."""
    migrated = _migrated_name()
    server.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [migrated]).fetchone():
        _run(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", half := f"{migrated}_half")
        _run(server, "CREATE DATABASE {}", half)
        environment = {**os.environ, "DATABASE_URL": address(half)}
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        _run(server, "ALTER DATABASE {} RENAME TO {}", half, migrated)
    server.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    return migrated


def _migrated_name() -> str:
    return f"test_{os.environ['PMONITOR_TEST_RUN']}_migrated"


def _run(server: psycopg.Connection, statement: str, *names: str) -> None:
    server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
