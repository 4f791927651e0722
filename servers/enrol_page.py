"""The page that adds a server: the key in its one line, and the steps that fill themselves."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from pmonitor import access, addresses, secrets
from pmonitor.live import View
from servers import enrolment
from servers.models import EnrolmentKey, Newest, Server, ServerGroup

VALID_FOR = ((60, _("1 hour")), (24 * 60, _("1 day")), (7 * 24 * 60, _("7 days")))  # minutes
PORTS = {"http": 80, "https": 443}


NOT_SO_MANY = ("required", "invalid", "min_value", "max_value")
LABELS = (("group", _("Group")), ("uses", _("Servers")), ("minutes", _("Valid for")))


class KeyForm(forms.Form):
    """What a new enrolment key is for."""

    group = forms.ModelChoiceField(ServerGroup.objects.all(), required=False, empty_label=_("none"))
    uses = forms.IntegerField(
        min_value=1,
        max_value=1000,
        initial=1,
        error_messages=dict.fromkeys(NOT_SO_MANY, _("Use a number from 1 to 1000.")),
    )
    minutes = forms.TypedChoiceField(choices=VALID_FOR, coerce=int, initial=60)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs["class"] = "input"
            if self.is_bound and self[name].errors:
                field.widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"id_{name}-e"}

    def labelled(self) -> list[tuple[Any, Any]]:
        """The fields, each with its label."""
        return [(self[name], label) for name, label in LABELS]


class Step(NamedTuple):
    """One of the three steps; state is its glyph and data-state."""

    state: str
    word: Any
    said: Any


def context(request: HttpRequest, first: bool = False) -> dict[str, Any]:
    """The page before a key is made; first: there is no server yet."""
    address = settings.HUB_URL or request.build_absolute_uri("/").rstrip("/")
    parts = urlsplit(address)
    return {
        "first": first,
        "hub": address,
        "hub_host": parts.hostname,
        "hub_port": parts.port or PORTS[parts.scheme],
        "only_here": addresses.is_loopback(parts.hostname or ""),
        "may_make": access.has_role(request.user, access.ADMIN),
        "form": KeyForm(),
    }


def made(request: HttpRequest) -> dict[str, Any]:
    """The page with a new key, or with what was wrong in the form."""
    form = KeyForm(request.POST)
    if not form.is_valid():
        return {"form": form}
    chosen = form.cleaned_data
    by = User.objects.get(username=request.user.get_username())
    secret = enrolment.new_key(uses=chosen["uses"], minutes=chosen["minutes"], group=chosen["group"], created_by=by)
    key = EnrolmentKey.objects.select_related("group").get(prefix=secret[: secrets.PREFIX_LENGTH])
    return {"form": form, "secret": secret, "key": key} | steps(key)


# The steps, live as the topic enrol:<key prefix>


def may_watch(user: Any, prefixes: set[str]) -> set[str]:
    """Whoever may make keys may see what becomes of them."""
    return prefixes if access.has_role(user, access.ADMIN) else set()


def render(prefix: str, view: View) -> tuple[str, dict[str, str]]:
    """The steps of a key; gone keys show none."""
    key = EnrolmentKey.objects.filter(prefix=prefix).first()
    if key is None:
        return "", {}
    now = steps(key)
    return now["version"], {"enrol": render_to_string("_enrol.html", {"key": key} | now)}


def steps(key: EnrolmentKey) -> dict[str, Any]:
    """How far the newest server that came with this key is."""
    server = Server.objects.filter(enrolled_with=key.prefix).order_by("-enrolled_at").first()
    newest = Newest.objects.filter(server=server).only("seq", "services_at").first() if server else None
    done = [server is not None, bool(newest and newest.seq), bool(newest and newest.services_at)]
    words = (_("Agent connects"), _("First report"), _("Service list"))
    after = (_("connected"), _("host and processes"), _("it joined the fleet"))
    before = (_("waiting"), _("host and processes"), _("then it joins the fleet"))
    first_open = done.index(False) if False in done else len(done)
    listed = [
        Step(
            "succeeded" if ok else "running" if place == first_open else "todo",
            word,
            after[place] if ok else before[place],
        )
        for place, (ok, word) in enumerate(zip(done, words, strict=True))
    ]
    return {"steps": listed, "server": server, "version": f"{server.pk if server else 0}.{first_open}"}
