"""Whether a contact can be as it is wanted: one look for page, API and admin. Every wrong field is named."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from alerts import states
from alerts.notify import addresses, apprise_transport, hours, models
from alerts.notify.models import Contact

NAME_LENGTH, ADDRESS_LENGTH = 80, 1_000
PRINTABLE = re.compile(r"[\x21-\x7e]+")


class Wanted(NamedTuple):
    """A contact as somebody wants it."""

    name: str
    kind: str
    address: str
    severity: str = states.WARNING
    hours: dict[str, Any] = {}
    language: str = "en"
    allow_internal: bool = False
    enabled: bool = True


def wrong(wanted: Wanted, own: Contact | None = None) -> dict[str, str]:
    """What is wrong, by the field's name on the wire; own: the contact that it is to be."""
    found = {}
    if said := _name(wanted.name, own):
        found["name"] = said
    if wanted.kind not in models.KINDS:
        found["kind"] = _("must be one of %(words)s") % {"words": ", ".join(models.KINDS)}
    elif said := _address(wanted):
        found["address"] = said
    if wanted.severity not in states.SEVERITIES:
        found["severity"] = _("must be one of %(words)s") % {"words": ", ".join(states.SEVERITIES)}
    languages = [code for code, _name in settings.LANGUAGES]
    if wanted.language not in languages:
        found["language"] = _("must be one of %(words)s") % {"words": ", ".join(languages)}
    return found | hours.wrong(wanted.hours)


def _name(name: str, own: Contact | None) -> str:
    if not name or name != name.strip() or not name.isprintable() or len(name) > NAME_LENGTH:
        return _("must be 1 to %(most)s printable characters, with none left blank around them") % {"most": NAME_LENGTH}
    namesake = Contact.objects.filter(name=name).first()
    return _("is the name of another contact") if namesake and namesake != own else ""


def _address(wanted: Wanted) -> str:
    address = wanted.address
    if len(address) > ADDRESS_LENGTH or not PRINTABLE.fullmatch(address):
        return _("must be 1 to %(most)s printable characters without a blank") % {"most": ADDRESS_LENGTH}
    if wanted.kind == models.EMAIL:
        return _email(address)
    if wanted.kind == models.APPRISE:
        return _apprise(address, wanted.allow_internal)
    return _url(address, wanted.allow_internal, wanted.kind == models.SLACK)


def _email(address: str) -> str:
    try:
        validate_email(address)
    except ValidationError:
        return _("must be an e-mail address such as ops@example.net")
    return ""


def _url(address: str, allow_internal: bool, secure: bool) -> str:
    try:
        parts = urlsplit(address)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or parts.scheme not in ({"https"} if secure and not allow_internal else {"http", "https"}):
        return _("must be an address such as https://receiver.example.net/path")
    if parts.username is not None or parts.fragment:
        return _("must have no user, password or # in it")
    if not allow_internal and addresses.is_internal(parts.hostname or ""):
        return _("is an internal address; this contact may not use internal addresses")
    return ""


def _apprise(address: str, allow_internal: bool) -> str:
    if "://" not in address or not apprise_transport.known(address):
        return _("is no address that Apprise can use; its documentation lists them")
    if not allow_internal and apprise_transport.needs_internal(address):
        return _("names a host of its own or this machine: only a contact that may use internal addresses can have it")
    return ""
