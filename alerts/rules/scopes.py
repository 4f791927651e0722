"""Which servers a rule or a silence is for, as one line of words: "role=web env=prod group:buh web-*".

Each label ("env=prod"; "env=" for any value) must be on the server; of several groups ("group:web"), and of several
name patterns ("web-*", "srv-01"), one must fit. No word at all: every server.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from fnmatch import translate
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from pmonitor import access
from servers.models import Scope as Seen
from servers.models import Server

LENGTH = 300  # characters
GROUP = "group:"
_word = re.compile(r'(?:[^\s"]|"[^"]*")+')


class Scope(NamedTuple):
    """The words of a line, told apart."""

    labels: tuple[tuple[str, str], ...] = ()  # an empty value: any
    groups: tuple[str, ...] = ()  # casefolded
    names: tuple[str, ...] = ()  # patterns as in a shell, of host names and agent ids

    def holds(self, hostname: str, agent_id: str, labels: dict[str, Any], group: str) -> bool:
        """Whether a server is meant; group: its group's name or empty."""
        if any(name not in labels or (value and str(labels[name]) != value) for name, value in self.labels):
            return False
        if self.groups and group.casefold() not in self.groups:
            return False
        return not self.names or any(_fits(name, hostname, agent_id) for name in self.names)


class Place(NamedTuple):
    """As much of a server as a scope looks at."""

    id: int
    hostname: str
    agent_id: str
    labels: dict[str, Any]
    group: str


class Reach(NamedTuple):
    """How far a person's lines may reach: to everything, or to these groups."""

    everything: bool
    groups: tuple[str, ...]

    def holds(self, line: str) -> bool:
        """Whether a right line reaches no further."""
        groups = read(line).groups
        return self.everything or (bool(groups) and set(groups) <= {name.casefold() for name in self.groups})

    @property
    def line(self) -> str:
        """The widest line: empty, or the groups."""
        return " ".join(f'{GROUP}"{name}"' if " " in name else f"{GROUP}{name}" for name in self.groups)


def wrong(line: str) -> str:
    """What is wrong with a line, in a sentence; empty when it can be read."""
    if len(line) > LENGTH:
        return _("must have at most %(length)s characters") % {"length": LENGTH}
    if not line.isprintable():
        return _("must be one line of printable characters")
    if line.count('"') % 2:
        return _('has a quotation mark (") without its other one')
    for word in _words(line):
        if word in ("=", GROUP) or word.startswith("="):
            return _("“%(word)s” names nothing: write env=prod, group:web or web-*") % {"word": word}
    return ""


def read(line: str) -> Scope:
    """The scope that a right line means."""
    labels, groups, names = [], [], []
    for word in _words(line):
        if word.casefold().startswith(GROUP):
            groups.append(word[len(GROUP) :].casefold())
        elif "=" in word:
            name, _equals, value = word.partition("=")
            labels.append((name, value))
        else:
            names.append(word)
    return Scope(tuple(labels), tuple(groups), tuple(names))


def places() -> list[Place]:
    """Every server, as far as scopes look; one query."""
    return _places(Server.objects.all())


def places_of(user: Any) -> list[Place]:
    """Every server in the user's scope."""
    return _places(Server.objects.visible_to(user))


def places_among(servers: Collection[int]) -> list[Place]:
    """These servers."""
    return _places(Server.objects.filter(pk__in=servers))


def of(scope: Scope, among: Iterable[Place]) -> list[int]:
    """The ids of the servers that are meant."""
    if scope == Scope():
        return [place.id for place in among]
    return [place.id for place in among if scope.holds(*place[1:])]


def reach_of(user: Any) -> Reach:
    """How far a person's lines may reach; three queries at the most."""
    if access.role_of(user) == access.ADMIN:
        return Reach(everything=True, groups=())
    mine = Seen.objects.filter(user=user.pk).first()
    if mine is None or mine.everything:
        return Reach(everything=mine is not None, groups=())
    return Reach(everything=False, groups=tuple(group.name for group in mine.groups.all()))


def may_use(user: Any, line: str) -> bool:
    """Whether the scope reaches no further than the user does: who sees not all servers names groups of theirs."""
    return reach_of(user).holds(line)


def _places(servers: Any) -> list[Place]:
    rows = servers.order_by("pk").values_list("pk", "hostname", "agent_id", "labels", "group__name")
    return [Place(pk, host, agent, labels or {}, group or "") for pk, host, agent, labels, group in rows]


def _words(line: str) -> list[str]:
    return [word.replace('"', "") for word in _word.findall(line)]


def _fits(pattern: str, hostname: str, agent_id: str) -> bool:
    fits = re.compile(translate(pattern), re.IGNORECASE).match
    return any(fits(name) for name in (hostname, hostname.partition(".")[0], agent_id))
