"""What this server's owner lets the hub do: `verb[,verb]:pattern` entries. Nothing is allowed by default.

The pattern is of a unit for what is done to services, of a process's name for what is done to processes.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

SERVICE_VERBS = ("start", "stop", "restart", "reload")
PROCESS_VERBS = ("signal", "renice")
VERBS = (*SERVICE_VERBS, *PROCESS_VERBS)
LEASE_VERBS = ("extend", "keep")  # of a stop for a time: come with stop, an owner's list does not name them
# What a service may be called; never a leading dash, which a tool would take as an option.
UNIT_NAME = re.compile(r"^[A-Za-z0-9_:@.\\][A-Za-z0-9_:@.\\-]{0,254}$")


class Allow:
    """The parsed allow-list; `entries` are the raw ones, as the report shows them."""

    def __init__(self, text: str = "") -> None:
        self.entries = text.split()
        self.rules: list[tuple[frozenset[str], str]] = [_rule(entry) for entry in self.entries]  # verbs, pattern

    def permits(self, verb: str, name: str) -> bool:
        """Whether some entry allows this verb on this unit, or on processes of this name."""
        return any(verb in verbs and fnmatchcase(name, pattern) for verbs, pattern in self.rules)

    def verbs(self, possible: tuple[str, ...], unit: str) -> list[str]:
        """Of the verbs the unit can do, those its owner allows."""
        return [verb for verb in possible if self.permits(verb, unit)]


def parts(pattern: str) -> list[str]:
    """A pattern's parts as fnmatch reads them, each matching by itself: `*`, `?`, `[…]`, or one character."""
    found, place = [], 0
    while place < len(pattern):
        end = place + 1
        if pattern[place] == "[":
            # A "!" and then a "]" right after the bracket belong to the set; one that never closes is a character.
            first = place + 1 + (pattern[place + 1 : place + 2] == "!")
            close = pattern.find("]", first + (pattern[first : first + 1] == "]"))
            end = end if close < 0 else close + 1
        found.append(pattern[place:end])
        place = end
    return found


def _rule(entry: str) -> tuple[frozenset[str], str]:
    verbs, colon, pattern = entry.partition(":")
    if not (verbs and colon and pattern):
        raise ValueError(f"{entry!r} is not verb[,verb]:pattern, such as restart:nginx.service")
    named = frozenset(VERBS) if verbs == "*" else frozenset(verbs.split(","))
    unknown = sorted(named - set(VERBS))
    if unknown:
        raise ValueError(f"{entry!r} names {unknown[0]!r}, which is not one of {', '.join(VERBS)} or *")
    return named, pattern
