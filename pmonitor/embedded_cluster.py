"""Makes the embedded database's cluster, once: beside its place, then renamed, so it is there wholly or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from pmonitor import embedded_programs
from pmonitor.embedded_programs import Account, CannotStart

ROLE = "pmonitor"


def make(cluster: Path, password: str) -> None:
    """Run initdb for the cluster unless it is there; its only role gets the password."""
    if embedded_programs.cluster_version(cluster) is not None:
        return
    draft = cluster.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)  # of a start that was killed
    account = embedded_programs.account(cluster)
    draft.mkdir(mode=0o700)
    _give(draft, account)
    _initdb(draft, password, account)
    draft.rename(cluster)


def _initdb(folder: Path, password: str, account: Account) -> None:
    programs = embedded_programs.find(folder)
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if programs.major >= 17 else []
    secret = folder.with_name("postgres.new.password")
    secret.touch(mode=0o600)
    _give(secret, account)
    secret.write_text(password)
    command: list[str | Path] = [
        *account.prefix,
        programs.folder / "initdb",
        "-D",
        folder,
        "-U",
        ROLE,
        "--pwfile",
        secret,
    ]
    command += ["-A", "scram-sha-256", "-E", "UTF8", *locale, "--locale=C"]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, **account.popen)
    except PermissionError as error:
        raise CannotStart(_may_not_enter(programs.folder, account)) from error
    finally:
        secret.unlink()
    if ended.returncode != 0:
        closed = account.uid is not None and "ermission denied" in ended.stderr
        said = f"initdb failed: {embedded_programs.telling_line(ended.stderr)}"
        raise CannotStart(_may_not_enter(folder.parent, account) if closed else said)


def _give(path: Path, account: Account) -> None:
    if account.uid is not None:
        os.chown(path, account.uid, account.uid)


def _may_not_enter(folder: Path, account: Account) -> str:
    return (
        f"PostgreSQL does not run as root, and as user {account.uid} it may not enter {folder}: "
        "start as a normal user, or use folders that everybody may enter."
    )
