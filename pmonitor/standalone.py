"""What a command needs when the environment does not say it: the data folder's secret key and embedded database."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from django.db import connections

from pmonitor import embedded, embedded_programs, kept

NO_DATABASE = {"help", "version", "collectstatic", "compilemessages", "diffsettings", "findstatic", "makemessages"}
NOWHERE = "postgres://nobody@127.0.0.1:1/nothing"  # settings want an address; these commands never use it


@contextmanager
def surroundings(arguments: Sequence[str]) -> Iterator[None]:
    """Run a command of manage.py inside: with its database started, and ended again unless another uses it."""
    if is_set("DATABASE_URL"):
        yield
    elif not _needs_database(arguments):
        os.environ["DATABASE_URL"] = NOWHERE
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
        yield
    else:
        database = embedded.Embedded(embedded.default_data_dir())
        os.environ["DATABASE_URL"] = database.start()
        try:
            keep_secret_key(database.data_dir)
            yield
        finally:
            connections.close_all()
            database.stop()


def keep_secret_key(data_dir: Path) -> None:
    """Put the data folder's secret key into the environment, unless one is there."""
    if not is_set("SECRET_KEY"):
        try:
            os.environ["SECRET_KEY"] = kept.secret(data_dir / "secret.key")
        except PermissionError as error:
            raise embedded_programs.belongs_to_another(data_dir / "secret.key") from error


def is_set(name: str) -> bool:
    """Whether the environment gives the setting, itself or in a file."""
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def _needs_database(arguments: Sequence[str]) -> bool:
    if not arguments or any(word in {"--help", "-h", "--version"} for word in arguments):
        return False
    if arguments[0] == "check":
        return "--database" in arguments
    return arguments[0] not in NO_DATABASE
