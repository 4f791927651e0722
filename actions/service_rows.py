"""A server's services as rows, each with what a command is doing to it and what may be done."""

from __future__ import annotations

from hashlib import blake2s
from typing import Any, NamedTuple

from django.template.loader import get_template
from django.urls import reverse
from django.utils.translation import gettext as _

from actions import lease_words, leases, states, verbs
from actions.models import Command, Lease
from actions.verdicts import service_word, trigger_sentence
from pmonitor import access
from pmonitor.visible import visible
from servers.models import Service

ORDER = {"failed": 0, "activating": 1, "deactivating": 1, "reloading": 1, "active": 2}  # the rest after
MOST_ALIASES = 2
GLYPHS = {"active": "active", "inactive": "inactive", "failed": "failed"}  # a state on its way somewhere turns


class Row(NamedTuple):
    """A service and the command at work on it."""

    service: Service
    command: Command | None
    lease: Lease | None = None  # it is stopped for a time, or was and did not come back

    @property
    def id(self) -> str:
        """Its element's."""
        return f"svc-{self.service.pk}"

    @property
    def facts(self) -> tuple[Any, ...]:
        """What the row shows, its ages aside: it is sent again when this changes."""
        one, at_work = self.service, self.command
        shown = (one.active_state, one.sub_state, one.main_pid, one.mem_mb, one.since, one.description)
        kind = (one.load_state, tuple(one.aliases), tuple(one.triggered_by))
        lease = self.lease
        lent = lease and (lease.pk, lease.state, lease.until, lease.overdue_at, lease.attempts)
        offers = (tuple(one.verbs), one.can and tuple(one.can), lent)
        return (one.name, *shown, *kind, *offers, at_work and (at_work.pk, at_work.state))

    @property
    def state(self) -> str:
        """The glyph's: the command's while one is at work, else the service's."""
        return self.command.state if self.command else GLYPHS.get(self.service.active_state, "running")

    @property
    def word(self) -> str:
        """What a command does to it ("Restarting"), or its own state; masked where that is all it is."""
        if self.command is None:
            masked = self.service.load_state == "masked" and self.service.active_state == "inactive"
            return visible(service_word("masked" if masked else self.service.active_state))
        verb = verbs.VERBS.get(self.command.cmd)
        doing = verb and self.command.state == states.RUNNING
        return str(verb.doing if verb and doing else verbs.STATE_WORDS[self.command.state])


def listed(server_id: int) -> list[Row]:
    """The server's services, failed first; three queries."""
    at_work = {command.target: command for command in _at_work(server_id)}
    lent = {lease.target: lease for lease in Lease.objects.shown().filter(server=server_id).order_by("id")}
    services = sorted(
        Service.objects.filter(server=server_id),
        key=lambda service: (ORDER.get(service.active_state, 3), service.name),
    )
    return [Row(service, at_work.get(service.name), lent.get(service.name)) for service in services]


def one(service: Service) -> Row:
    """One service as a row."""
    lent = Lease.objects.shown().filter(server=service.server_id, target=service.name).order_by("-id").first()
    return Row(service, _at_work(service.server_id).filter(target=service.name).first(), lent)


def version(rows: list[Row]) -> str:
    """Changes with what the rows show."""
    return blake2s(repr([(row.id, row.facts) for row in rows]).encode(), digest_size=8).hexdigest()


def html(row: Row, agent_id: str, acting: bool, oob: bool = False) -> str:
    """The row's element, with buttons only for those who may act; oob: for an answer that is about more than it."""
    possible = [*row.service.verbs, *(row.service.can or ())]
    held = row.lease is not None and row.lease.state in states.LEASE_OPEN
    offered = verbs.offered(row.service.active_state, possible, held) if acting else []
    return get_template("_service.html").render(
        {
            "service": row.service,
            "command": row.command,
            "name": visible(row.service.name),
            "url": reverse("actions:service", args=[agent_id, row.service.name]),
            "description": visible(row.service.description),
            "state": row.state,
            "word": row.word,
            "lease": row.lease,
            "held": held,  # three long words: they stand without icons, or on a phone the icons without words
            "sub": lease_words.brief(row.lease) if row.lease else visible(row.service.sub_state),
            "notes": notes(row.service),
            "acting": acting,
            "oob": oob,
            "buttons": [_button(verb, row.service, agent_id) for verb in offered],
        }
    )


def notes(service: Service) -> list[tuple[str, str]]:
    """What else its operator should know at a glance, each in a word and in a sentence."""
    found = []
    if service.triggered_by:
        unit = service.triggered_by[0]
        kind = unit.rpartition(".")[2]
        found.append((visible(kind), trigger_sentence([visible(unit)])))
    if service.load_state == "masked" and service.active_state != "inactive":
        found.append((str(service_word("masked")), _("It is masked, and runs on from before")))
    return found + [(visible(name), _("Another name of it")) for name in service.aliases[:MOST_ALIASES]]


def can_act(role: str) -> bool:
    """Whether this role gets action buttons at all."""
    return role in (access.OPERATOR, access.ADMIN)


def _button(verb: verbs.Verb, service: Service, agent_id: str) -> dict[str, Any]:
    missing = [needed for needed in leases.needed(verb.name, {}) if needed not in service.verbs]
    return {
        "why_not": verbs.not_allowed(agent_id, missing[0], visible(service.name)) if missing else "",
        "id": f"do-{service.pk}-{verb.name}",
        "word": verb.button,
        "icon": verb.icon,
        "label": verbs.titled(verb.name, visible(service.name)),
        "url": reverse("actions:confirm", args=[agent_id, service.name, verb.name]),
    }


def _at_work(server_id: int) -> Any:
    return Command.objects.filter(server=server_id, state__in=states.ACTIVE)
