"""Sets the surroundings before Django reads its settings: a real PostgreSQL, and a database of this run's own in it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections
from django.test import TransactionTestCase
from django.utils import translation
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

from tests import databases, embedded_db


def surroundings() -> None:
    """What the settings read; xdist's workers inherit it from the process that started them."""
    # A run in a shell's background, or under nohup, ignores these, and what it starts would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pmonitor.settings")
    os.environ["SECRET_KEY"] = "only-for-the-tests-" + "x" * 40
    os.environ.setdefault("ALLOWED_HOSTS", "localhost,127.0.0.1,testserver")
    os.environ.setdefault("LOG_FORMAT", "json")
    embedded_db.use_test_database()
    os.environ.setdefault("PMONITOR_TEST_RUN", str(os.getpid()))


surroundings()
django.setup()  # the cast imports models
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick; its strength is not tested

pytest_plugins = [
    "tests.cast",
    "tests.frame.toy_topic",
    "tests.groups",
    "tests.actions.lending",
    "tests.servers.gathered",
]


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Where the tests' own database is."""
    connection.settings_dict["TEST"]["NAME"] = databases.name()


@pytest.fixture(scope="session")
def django_db_keepdb() -> Iterator[bool]:
    """The tests' own database is there already, migrated."""
    databases.drop_left_over()
    databases.make(databases.name())
    yield True
    connections.close_all()
    databases.drop(databases.name())


def pytest_sessionfinish(session: pytest.Session) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        databases.drop_migrated()


@pytest.fixture(autouse=True, scope="session")
def _empty_append_only_tables_between_tests() -> Iterator[None]:
    """Transactional tests end in TRUNCATE, which append-only tables refuse as they should; here it must work."""
    teardown = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def without_triggers(self: TransactionTestCase) -> None:
        with connection.cursor() as cursor:
            cursor.execute("set session_replication_role = replica")
        teardown(self)
        with connection.cursor() as cursor:
            cursor.execute("set session_replication_role = origin")
            cursor.execute("delete from servers_rolledup")  # no model's: the next would be told of rows that went

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", without_triggers)
        yield


@pytest.fixture(autouse=True, scope="session")
def _static_files_are_listed_once() -> Iterator[None]:
    """Each test client makes the middlewares anew, and listing the files took longer than most requests."""
    files: dict[str, Any] = {}
    listing = WhiteNoiseMiddleware.add_files_from_finders

    def once(self: WhiteNoiseMiddleware) -> None:
        if not files:
            listing(self)
            files.update(self.files)
        self.files.update(files)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", once)
        yield


@pytest.fixture(autouse=True)
def _no_counts_from_other_tests() -> None:
    """Rate limits are counted in the cache."""
    cache.clear()


@pytest.fixture(autouse=True)
def _no_language_from_other_tests() -> Iterator[None]:
    """A request leaves its language active in its thread, which here is every test's."""
    yield
    translation.deactivate()
