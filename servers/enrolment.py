"""How servers join: an admin makes an enrolment key, an agent trades it for its own token."""

from __future__ import annotations

from datetime import timedelta

from django.contrib.auth.models import User
from django.db import models, transaction
from django.utils import timezone

from pmonitor import live, logs, secrets
from pmonitor.problems import Problem
from servers import networks
from servers.models import EnrolmentKey, Server, ServerGroup
from servers.wire import Register

log = logs.get(__name__)


def new_key(
    note: str = "",
    uses: int = 1,
    minutes: int = 60,
    group: ServerGroup | None = None,
    created_by: User | None = None,
) -> str:
    """Make a key for so many agents and minutes; returned here once, only its hash is kept."""
    key, prefix, hashed = secrets.new("pme")
    expires = timezone.now() + timedelta(minutes=minutes)
    EnrolmentKey.objects.create(
        prefix=prefix,
        hash=hashed,
        note=note,
        uses_left=uses,
        expires_at=expires,
        group=group,
        created_by=created_by,
    )
    return key


def register(body: Register, address: str) -> tuple[Server, str]:
    """The agent's server, new or known by its fingerprint, and a new token; Problem 401 (key), 403 or 409 (id)."""
    token, prefix, hashed = secrets.new("pma")
    with transaction.atomic():
        key = _used(body.enrolment_key)
        facts = {
            "hostname": body.hostname,
            "token_prefix": prefix,
            "token_hash": hashed,
            "enrolled_with": key.prefix,
        }
        server = _made(body, key, facts) or _taken_over(body, facts, address)
        live.announce("fleet:all", f"row:{server.pk}", f"enrol:{key.prefix}")
    log.info("enrolment.registered", server=server.agent_id, key=key.prefix, address=address)
    return server, token


def _used(secret: str) -> EnrolmentKey:
    """Use the key once; of two who come for its last use one is refused."""
    key = EnrolmentKey.objects.filter(prefix=secret[: secrets.PREFIX_LENGTH]).select_related("group").first()
    if key is None or not secrets.matches(secret, key.hash):
        raise _refused("This enrolment key is not known.")
    if key.expires_at <= timezone.now():
        raise _refused("This enrolment key has expired; make a new one.")
    if not EnrolmentKey.objects.filter(pk=key.pk, uses_left__gt=0).update(uses_left=models.F("uses_left") - 1):
        raise _refused("This enrolment key is used up; make a new one.")
    return key


def _refused(sentence: str) -> Problem:
    return Problem(401, sentence, headers={"WWW-Authenticate": 'EnrolmentKey realm="Process Monitor"'})


def _made(body: Register, key: EnrolmentKey, facts: dict[str, str]) -> Server | None:
    """A new server; None when the id is taken (then the insert has waited for whoever is taking it)."""
    new = Server(agent_id=body.agent_id, fingerprint=body.fingerprint, group=key.group, **facts)
    Server.objects.bulk_create([new], ignore_conflicts=True)
    return Server.objects.filter(token_prefix=new.token_prefix).first()


def _taken_over(body: Register, facts: dict[str, str], address: str) -> Server:
    """The known server of this id, if it is the same machine; its old token ends here."""
    known = Server.objects.select_for_update().get(agent_id=body.agent_id)
    if not body.fingerprint or body.fingerprint != known.fingerprint:
        raise Problem(409, f"The id {body.agent_id} belongs to another machine; choose another AGENT_ID.")
    if not networks.allow(known.allowed_networks, address):
        raise Problem(403, f"This server's agent may not call from {address or 'an unknown address'}.")
    Server.objects.filter(pk=known.pk).update(**facts)
    known.refresh_from_db()
    return known
