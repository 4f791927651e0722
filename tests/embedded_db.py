"""The PostgreSQL the suite runs on: DATABASE_URL's, or one embedded in var/test-pg, kept between runs.

tests/conftest.py calls `use_test_database()` at its import, before Django's settings load. Under xdist the controller
process imports conftest first and its workers inherit DATABASE_URL, so one server serves them all; it ends with the
last process that uses it.
"""

from __future__ import annotations

import atexit
import os
import secrets
from pathlib import Path

from pmonitor.embedded import Embedded

FOLDER = Path(__file__).resolve().parent.parent / "var" / "test-pg"
# Its data is worth nothing: no waiting for the disk, and room for every worker's pools.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300")


def database_url_for_tests() -> str:
    """The address of a running PostgreSQL whose role may create databases."""
    if given := os.environ.get("DATABASE_URL"):
        return given
    database = Embedded(FOLDER, FAST)
    atexit.register(database.stop)
    return database.start()


def use_test_database() -> None:
    """Put what Django's settings require into the environment: DATABASE_URL and SECRET_KEY."""
    os.environ["DATABASE_URL"] = database_url_for_tests()
    os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
