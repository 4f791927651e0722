"""Makes, changes, tries and deletes contacts; the only module that changes one. Each with its audit entry.

Neither an address nor a secret goes into an entry: addresses hold secrets, and entries are for ever.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from actions import audit
from alerts.models import Contact, Notification
from alerts.notify import checks, models, queueing
from alerts.notify.checks import Wanted
from pmonitor import live
from pmonitor.problems import Problem, bad


def make(user: Any, wanted: Wanted, address: str | None = None) -> Contact:
    """Record a new contact; a webhook gets its secret, which is told once. address: the caller's.

    Raises Problem 400, which names what is wrong.
    """
    _check(wanted)
    secret = new_secret() if wanted.kind == models.WEBHOOK else ""
    made_by = {"made_by_name": audit.name_of(user), "made_at": timezone.now()}
    try:
        with transaction.atomic():
            contact = Contact.objects.create(**wanted._asdict(), **made_by, secret=secret)
            _write("contact.made", contact, user, address, {"kind": contact.kind})
    except IntegrityError as error:  # of that name, at the same moment
        raise _taken() from error
    return contact


def change(user: Any, contact: Contact, wanted: Wanted, address: str | None = None) -> None:
    """Let it be as wanted; its kind stays. Another address, or switched on anew, gives a broken one another chance.

    Raises Problem: 400, which names what is wrong; 404 when it was deleted meanwhile.
    """
    wanted = wanted._replace(kind=contact.kind)
    _check(wanted, contact)
    columns = {name: value for name, value in wanted._asdict().items() if getattr(contact, name) != value}
    if not columns:
        return
    facts = {"changed": sorted(columns)}
    if {"address", "allow_internal"} & set(columns) or columns.get("enabled"):
        columns |= {"broken_at": None, "broken_why": ""}
    try:
        _change("contact.changed", contact, (user, address), columns, facts)
    except IntegrityError as error:
        raise _taken() from error


def enable(user: Any, contact: Contact, address: str | None = None) -> None:
    """Switch it on, and let what is broken be tried again."""
    columns = {"enabled": True, "broken_at": None, "broken_why": ""}
    _change("contact.enabled", contact, (user, address), columns)


def disable(user: Any, contact: Contact, address: str | None = None) -> None:
    """Nothing is sent to it until it is switched on; what waits is dropped when it comes due."""
    _change("contact.disabled", contact, (user, address), {"enabled": False})


def renew_secret(user: Any, contact: Contact, address: str | None = None) -> str:
    """A new secret to sign with, told once; the old one is void. 409 for what is no webhook."""
    if contact.kind != models.WEBHOOK:
        raise Problem(409, _("Only webhooks have a secret."))
    secret = new_secret()
    _change("contact.secret_renewed", contact, (user, address), {"secret": secret})
    return secret


def delete(user: Any, contact: Contact, address: str | None = None) -> None:
    """Forget it and its notices; the incidents' timelines keep that it was told."""
    with transaction.atomic():
        _write("contact.deleted", contact, user, address, {"kind": contact.kind})
        Contact.objects.filter(pk=contact.pk).delete()


def try_out(user: Any, contact: Contact, address: str | None = None) -> Notification:
    """Queue a notice that tries it, the way that all go; also when it is off or broken. One at a time."""
    with transaction.atomic():
        if not Contact.objects.select_for_update(no_key=True).filter(pk=contact.pk):
            raise _gone()
        on_its_way = Notification.objects.filter(
            contact=contact, event=models.TEST, state__in=(models.QUEUED, models.SENDING)
        ).first()
        if on_its_way:
            return on_its_way
        _write("contact.tested", contact, user, address, {})
        return queueing.test_of(contact)


def try_out_all(user: Any, numbers: Collection[int], address: str | None = None) -> list[Contact]:
    """Try each of these that is there, all or none; returns them by name. numbers: contacts' keys."""
    with transaction.atomic():
        # By key, as whoever tries the same ones: two at once do not wait for each other in a circle.
        found = list(Contact.objects.filter(pk__in=numbers).order_by("pk").select_for_update(no_key=True))
        for contact in found:
            try_out(user, contact, address)
    return sorted(found, key=lambda contact: contact.name.casefold())


def broke(contact: Contact, why: str) -> bool:
    """Note that nothing gets there for good; whether this was the first to find out. In the caller's transaction.

    A notice that was sent to another address than it has now says nothing of it.
    """
    working = Contact.objects.filter(pk=contact.pk, address=contact.address, broken_at=None)
    if not working.update(broken_at=timezone.now(), broken_why=why[:400]):
        return False
    _write("contact.broken", contact, None, None, {"why": why})
    return True


def mended(contact: Contact) -> None:
    """Note that a test got there. In the caller's transaction."""
    broken = Contact.objects.filter(pk=contact.pk, address=contact.address, broken_at__isnull=False)
    if broken.update(broken_at=None, broken_why=""):
        _write("contact.mended", contact, None, None, {})


def wanted_of(contact: Contact) -> Wanted:
    """What is recorded, to be changed in part."""
    return Wanted(**{name: getattr(contact, name) for name in Wanted._fields})


def new_secret() -> str:
    """What a webhook signs with."""
    return f"pmw_{secrets.token_urlsafe(32)}"


def _check(wanted: Wanted, own: Contact | None = None) -> None:
    if found := checks.wrong(wanted, own):
        raise bad(found)


def _taken() -> Problem:
    return bad({"name": _("is the name of another contact")})


def _gone() -> Problem:
    return Problem(404, _("This contact was deleted meanwhile."))


def _change(
    event: str,
    contact: Contact,
    who: tuple[Any, str | None],
    columns: dict[str, Any],
    facts: dict[str, Any] | None = None,
) -> None:
    with transaction.atomic():
        if not Contact.objects.filter(pk=contact.pk).update(**columns):
            raise _gone()
        for name, value in columns.items():
            setattr(contact, name, value)
        _write(event, contact, *who, facts or {})


def _write(event: str, contact: Contact, user: Any, address: str | None, facts: dict[str, Any]) -> None:
    actor = audit.name_of(user) if user else audit.HUB
    audit.write(event, actor=actor, user=user, address=address, target=contact.name, facts=facts)
    live.announce(f"contact:{contact.pk}")
