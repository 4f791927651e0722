"""What the pages of contacts show: the list, one row, the form, and a webhook's secret, once."""

from __future__ import annotations

from hashlib import blake2s
from typing import Any

from django.conf import settings
from django.utils import dates
from django.utils.translation import gettext as _

from alerts import states
from alerts import words as incident_words
from alerts.models import Contact, Notification
from alerts.notify import models, words
from alerts.notify.forms import ContactForm
from pmonitor import access
from pmonitor.visible import visible


def listed(role: str) -> dict[str, Any]:
    """The list; operators are told names, kinds and states."""
    found = list(Contact.objects.all())
    last = _last([one.pk for one in found])
    rows = [row(one, last.get(one.pk), role) for one in found]
    mail = any(one.kind == models.EMAIL and one.enabled for one in found) and settings.SMTP is None
    return {"rows": rows, "no_mail": mail, "no_links": bool(found) and not settings.HUB_URL, "acting": _acts(role)}


def one(pk: int, role: str) -> dict[str, Any]:
    """One contact's row as it is now. Raises Contact.DoesNotExist."""
    return row(Contact.objects.get(pk=pk), _last([pk]).get(pk), role)


def row(contact: Contact, last: Notification | None, role: str) -> dict[str, Any]:
    """A contact as `_contact_row.html` shows it."""
    glyph, word = words.state(contact)
    last_glyph, last_word, last_why = words.notice(last) if last else ("", "", "")
    return {
        "contact": contact,
        "name": visible(contact.name),
        "kind": words.KINDS[contact.kind],
        "glyph": glyph,
        "word": word,
        "why": words.why(contact.broken_why) if contact.enabled else "",
        "no_mail": contact.kind == models.EMAIL and settings.SMTP is None,
        "acting": _acts(role),
        "address": words.masked(contact) if _acts(role) else "",
        "severity": contact.severity,
        "severity_word": incident_words.SEVERITY_WORDS[contact.severity],
        "hours": hours_words(contact.hours),
        "last": last,
        "last_glyph": last_glyph,
        "last_word": last_word,
        "last_event": words.EVENTS[last.event] if last else "",
        "last_why": last_why,
        "version": _version(contact, last),
    }


def hours_words(hours: dict[str, Any]) -> str:
    """ "Always", "Mon–Fri 08:00–18:00 Europe/Bucharest"."""
    if not hours:
        return _("Always")
    days = sorted(hours["days"])
    names = [str(dates.WEEKDAYS_ABBR[day]) for day in days]
    together = len(days) > 2 and days == list(range(days[0], days[-1] + 1))
    said = f"{names[0]}–{names[-1]}" if together else ", ".join(names)
    return f"{said} {hours['from']}–{hours['to']} {visible(hours['zone'])}"


def form_context(form: ContactForm, given: dict[str, Any], problem: str = "") -> dict[str, Any]:
    """What `contact_form.html` shows; given: what is in the fields."""
    errors = form.errors.get_json_data() if form.is_bound else {}
    changed = form.changed
    return {
        "changed": changed,
        "name": visible(changed.name) if changed else "",
        "masked": words.masked(changed) if changed else "",
        "given": given,
        "errors": {name: " ".join(error["message"] for error in said) for name, said in errors.items()},
        "problem": problem,
        "kinds": list(words.KINDS.items()),
        "kind": changed.kind if changed else given.get("kind", ""),
        "kind_word": words.KINDS[changed.kind] if changed else "",
        "severities": [(one, incident_words.SEVERITY_WORDS[one]) for one in states.SEVERITIES],
        "languages": settings.LANGUAGES,
        "days": [(str(day), dates.WEEKDAYS[day]) for day in range(7)],
        "no_mail": settings.SMTP is None,
    }


def _last(contacts: list[int]) -> dict[int, Notification]:
    """The newest notice of each; of one that is told by a summary, the summary."""
    own = Notification.objects.filter(contact__in=contacts, summary=None)
    newest = own.order_by("contact_id", "-id").distinct("contact_id")
    return {one.contact_id: one for one in newest}


def _acts(role: str) -> bool:
    return role == access.ADMIN


def _version(contact: Contact, last: Notification | None) -> str:
    seen = (last.pk, last.state, last.error, last.due_at) if last else ()
    fields = [getattr(contact, field.attname) for field in Contact._meta.concrete_fields if field.attname != "secret"]
    return blake2s(repr((fields, seen)).encode(), digest_size=8).hexdigest()
