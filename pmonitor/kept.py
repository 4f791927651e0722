"""Secrets that this installation makes for itself once and keeps in files only their owner can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def secret(path: Path) -> str:
    """The secret in the file, 43 URL-safe characters; the first call makes the file, mode 0600.

    Two first calls at once return the same secret. Raises OSError where the file cannot be read or made.
    """
    if not path.exists():
        _make(path, secrets.token_urlsafe(32))
    return path.read_text().strip()


def _make(path: Path, value: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(value + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # unlike a rename, never replaces the one another process made meanwhile
    except FileExistsError:
        pass
    finally:
        draft.unlink()
