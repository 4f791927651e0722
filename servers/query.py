"""Query parameters of the API, each checked, and all wrong ones named in one 400."""

from __future__ import annotations

from datetime import UTC, datetime

from rest_framework.request import Request

from pmonitor import problems

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)  # so that a while before it can still be said


class Query:
    """Read every parameter, then call `check`: it raises the 400 when one was wrong."""

    def __init__(self, request: Request) -> None:
        self.given = {name: str(value).strip() for name, value in request.query_params.items()}
        self.wrong: dict[str, str] = {}

    def moment(self, name: str, default: datetime) -> datetime:
        """A time in ISO 8601 with its zone."""
        text = self.given.get(name, "")
        if not text:
            return default
        try:
            found = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + of the zone arrives as a space
            if found.tzinfo is not None and found >= EARLIEST:
                return found.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        self.wrong[name] = f"expected a time with its zone such as 2026-01-31T12:00:00Z, got {text[:60]!r}"
        return default

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number from least to most."""
        text = self.given.get(name, "")
        if not text:
            return default
        if text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most:
            return int(text)
        self.wrong[name] = f"expected a whole number from {least} to {most}, got {text[:60]!r}"
        return default

    def one_of(self, name: str, default: str, allowed: list[str]) -> str:
        """One of the allowed words."""
        text = self.given.get(name, "") or default
        if text not in allowed:
            self.wrong[name] = f"expected one of {', '.join(allowed)}, got {text[:60]!r}"
        return text

    def text(self, name: str, longest: int = 255) -> str:
        """A text of at most so many characters; empty when it is not given."""
        text = self.given.get(name, "")
        if len(text) > longest:
            self.wrong[name] = f"expected at most {longest} characters, got {len(text)}"
        return text

    def check(self) -> None:
        """Raise the 400 that names what was wrong."""
        if self.wrong:
            raise problems.bad(self.wrong)
