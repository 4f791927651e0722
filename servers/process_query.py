"""What somebody looks for among processes: words, all of which must hold, read out of one line of text.

A plain word is in the name, the command line, the user or the service, or is the pid. With one of FIELDS and a colon
before it, it is looked for there alone; in quotes it is taken as it stands. Upper and lower case are the same, in
any script: both sides are casefolded, which looks at each character alone, so that a part of a text folds as there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from django.utils.translation import gettext as _

FIELDS: Final = ("name", "cmd", "user", "pid", "service")
ANYWHERE: Final = ""
USER_IS: Final = "user="  # the whole name; only programs ask for it
LONGEST, MOST_WORDS = 200, 8
MOST_PID = 2**31 - 1
WORD = re.compile(r'(?:(?P<field>[A-Za-z]+):(?!//))?(?:"(?P<quoted>[^"]*)"?|(?P<plain>\S*))')

Pids = Mapping["Term", frozenset[int]]  # of the main processes of services, by the term their names hold to
NO_PIDS: Final[Pids] = {}


class Wrong(ValueError):
    """The text is no search; its sentence says why."""


class Term(NamedTuple):
    """One word, casefolded, and the field it must be in, or ANYWHERE."""

    field: str
    value: str

    @property
    def by_service(self) -> bool:
        """Whether a process may hold to it by its service."""
        return self.field in (ANYWHERE, "service")

    @property
    def in_json(self) -> bytes:
        """What a table's casefolded JSON has where a process holds to this but by its service; may be empty."""
        if self.field == "pid":
            return f",{self.value},".encode()
        said = msgspec.json.encode(self.value)
        return said if self.field == USER_IS else said[1:-1]

    @property
    def in_text(self) -> str:
        """The same where texts stand as they are, and pids apart from them."""
        return "" if self.value.isdigit() else self.value

    def holds(self, name: str, pid: int, user: str, cmdline: str) -> bool:
        """Whether a process holds to it; the texts casefolded."""
        value = self.value
        match self.field:
            case "name":
                return value in name
            case "cmd":
                return value in cmdline
            case "user":
                return value in user
            case "user=":
                return value == user
            case "pid":
                return value == str(pid)
            case "service":
                return False
        return value in name or value in cmdline or value in user or value == str(pid)


class Wanted(NamedTuple):
    """All that is looked for."""

    terms: tuple[Term, ...] = ()

    @property
    def of_services(self) -> tuple[Term, ...]:
        """The terms that are only about services."""
        return tuple(term for term in self.terms if term.field == "service")

    def may_be_in(self, text: bytes) -> bool:
        """Whether a process that holds to this may be among those whose texts are in these bytes, between others."""
        folded = text.decode(errors="replace").casefold()  # no text is lost: each begins with a byte that begins one
        return all(term.in_text in folded for term in self.terms)

    def holds(self, name: str, pid: int, user: str, cmdline: str, served: Pids = NO_PIDS) -> bool:
        """Whether a process holds to every term; served: the pids that hold to a term by their service."""
        name, user, cmdline = name.casefold(), user.casefold(), cmdline.casefold()
        return all(
            term.holds(name, pid, user, cmdline) or (term in served and pid in served[term]) for term in self.terms
        )


def parse(text: str) -> Wanted:
    """What the text asks for; no words ask for nothing. Raises Wrong."""
    if len(text) > LONGEST:
        raise Wrong(_("A search has at most %(most)s characters.") % {"most": LONGEST})
    terms = [_term(found) for found in WORD.finditer(text.replace("\0", "")) if found.group()]
    if len(terms) > MOST_WORDS:
        raise Wrong(_("A search has at most %(most)s words.") % {"most": MOST_WORDS})
    return Wanted(tuple(dict.fromkeys(term for term in terms if term.value or term.field)))


def both(wanted: Wanted, name: str, user: str) -> Wanted:
    """The same, and a part of the name and the whole user, where they are not empty."""
    more = [Term(field, value.casefold()) for field, value in (("name", name), (USER_IS, user)) if value]
    return Wanted((*wanted.terms, *more))


def _term(found: re.Match[str]) -> Term:
    field = (found["field"] or ANYWHERE).lower()
    value = (found["quoted"] if found["quoted"] is not None else found["plain"] or "").casefold()
    known = ", ".join(f"{name}:" for name in FIELDS)
    if field and field not in FIELDS:
        said = {"field": f"{field}:", "known": known, "word": f'"{found.group()}"'}
        raise Wrong(
            _("There is no %(field)s here; there are %(known)s. In quotes a word is taken as it stands: %(word)s")
            % said
        )
    if field and not value:
        raise Wrong(_("%(field)s what? Write the word right after the colon.") % {"field": f"{field}:"})
    if field == "pid" and not (value.isascii() and value.isdigit() and int(value) <= MOST_PID):
        raise Wrong(_("pid: takes a number, such as pid:4711."))
    return Term(field, str(int(value)) if field == "pid" else value)
