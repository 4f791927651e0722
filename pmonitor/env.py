"""Reads settings from the environment, and fails loudly when one is wrong.

Every reader takes the variable's name; `NAME_FILE`, when set, names a file that holds the value
(Docker and systemd secrets). All raise `BadSetting` with the name, what was found and what would be right.
"""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class BadSetting(SystemExit):
    """A setting is missing or wrong; as a SystemExit it ends the program with one clear line."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"Setting {name}: {problem}")


class Mail(NamedTuple):
    """A mail server. secure: TLS from the first byte on; else it is begun when the server offers it."""

    host: str
    port: int
    secure: bool
    user: str
    password: str


def text(name: str, default: str | None = None) -> str:
    """The value of NAME, or of the file that NAME_FILE names, or the default; without a default it must be set."""
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise BadSetting(f"{name}_FILE", f"cannot read {path}: {error.strerror}") from error
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is None:
        raise BadSetting(name, "is required and not set")
    return default


def flag(name: str, default: bool = False) -> bool:
    """True for 1/true/yes/on, False for 0/false/no/off."""
    value = text(name, "on" if default else "off").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise BadSetting(name, f"is {value!r}; use on or off")


def integer(name: str, default: int, least: int, most: int) -> int:
    """A whole number between least and most."""
    value = text(name, str(default))
    if not value.lstrip("-").isdigit() or not least <= int(value) <= most:
        raise BadSetting(name, f"is {value!r}; use a whole number from {least} to {most}")
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list, without the empty ones."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words."""
    value = text(name, default)
    if value not in allowed:
        raise BadSetting(name, f"is {value!r}; use one of {', '.join(allowed)}")
    return value


def networks(name: str, default: str = "") -> list[Network]:
    """A comma-separated list of networks in CIDR notation, IPv4 or IPv6."""
    try:
        return [ipaddress.ip_network(word) for word in words(name, default)]
    except ValueError as error:
        raise BadSetting(name, f"{error}; use networks such as 10.0.0.0/8 or 2001:db8::/32") from error


def url(name: str, default: str = "") -> str:
    """An http or https address without a trailing slash, or the default."""
    value = text(name, default).rstrip("/")
    if value and (urlsplit(value).scheme not in {"http", "https"} or not urlsplit(value).hostname):
        raise BadSetting(name, f"is {value!r}; use an address such as https://monitor.example.net")
    return value


def database(name: str) -> dict[str, str]:
    """postgres://user:password@host:port/name as the fields of Django's DATABASES."""
    parts = urlsplit(text(name))
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise BadSetting(name, "is not of the form postgres://user:password@host:port/name")
    if parts.query or parts.fragment:
        raise BadSetting(name, "has more after the name; for TLS and the like set libpq's variables, such as PGSSLMODE")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
    }


def mail(name: str) -> Mail | None:
    """smtp://user:password@host:port or smtps://… ; None when it is not set."""
    value = text(name, "")
    if not value:
        return None
    parts = urlsplit(value)
    try:
        port = parts.port if parts.port is not None else 465 if parts.scheme == "smtps" else 25
    except ValueError:
        port = 0
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or not port or parts.path.strip("/") or parts.query:
        raise BadSetting(name, "is not of the form smtp://user:password@host:port, or smtps://…")
    return Mail(
        parts.hostname, port, parts.scheme == "smtps", unquote(parts.username or ""), unquote(parts.password or "")
    )
