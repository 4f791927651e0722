"""The form a rollout is planned with. It is sent by GET, so that a plan has an address."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from actions import ask, verbs
from actions.rollouts import plan, probe, selection, start, states
from actions.rollouts.selection import Selection
from actions.rollouts.start import Wanted
from actions.verdicts import SERVICE_STATES
from servers import fleet
from servers.models import Server, Service

MOST_NAMES = 500  # of services, offered while one types
MOST_IDS = 1_000  # of servers, in one address
ORDER_WORDS = (
    (states.BY_NAME, _("By name")),
    (states.SHUFFLED, pgettext_lazy("order", "Mixed")),
)
SILENT_WORDS = (
    (states.SKIP_SILENT, _("Skip it")),
    (states.HALT_AT_SILENT, _("Count it as a failure")),
)
WITHIN = ((60, _("60 s")), (600, _("10 min")), (3600, _("1 h")))
LAYOUT: tuple[tuple[tuple[str, Any, Any], ...], ...] = (  # lines of (field, label, hint)
    (
        ("cmd", _("Action"), ""),
        ("target", _("Service"), ""),
    ),
    (
        ("group", _("Group"), ""),
        ("label", _("Label"), ""),
        ("name", _("Server name"), _("with * for any characters")),
        ("state", _("Service now"), ""),
    ),
    (
        ("batch", _("Servers at a time"), _("a number, or a share such as 25%")),
        ("pause", _("Pause between batches, s"), ""),
        ("order", _("Order"), ""),
        ("failures", _("Halt at failure"), _("1: at the first one")),
        ("silent", _("A silent server"), ""),
        ("within", _("Deliver within"), ""),
    ),
    (
        (
            "probe",
            _("Probe"),
            _("http://127.0.0.1:8080/health or tcp://127.0.0.1:5432, asked on each server itself; empty: none"),
        ),
    ),
)


class RolloutForm(forms.Form):
    """What, where and in which steps."""

    cmd = forms.ChoiceField(initial="restart")
    target = forms.CharField(max_length=ask.TARGET_LENGTH)
    group = forms.ChoiceField(required=False)
    label = forms.ChoiceField(required=False)
    name = forms.CharField(max_length=100, required=False)
    state = forms.ChoiceField(required=False)
    batch = forms.CharField(max_length=8, initial="1")
    pause = forms.IntegerField(min_value=0, max_value=start.PAUSE_MOST, initial=30)
    order = forms.ChoiceField(choices=ORDER_WORDS, initial=states.BY_NAME)
    failures = forms.IntegerField(min_value=1, max_value=plan.MOST_SERVERS, initial=1)
    silent = forms.ChoiceField(choices=SILENT_WORDS, initial=states.SKIP_SILENT)
    within = forms.TypedChoiceField(choices=WITHIN, coerce=int, initial=60)
    probe = forms.CharField(max_length=probe.LENGTH, required=False)
    seed = forms.IntegerField(min_value=0, max_value=start.SEED_MOST, widget=forms.HiddenInput)

    def __init__(self, user: Any, data: QueryDict | None = None) -> None:
        super().__init__(data)
        servers = Server.objects.visible_to(user)
        groups = servers.exclude(group=None).order_by("group__name").values_list("group__name", flat=True).distinct()
        choices = {
            "cmd": [(name, verbs.VERBS[name].button) for name in states.VERBS],
            "group": [("", _("All groups")), *((name, name) for name in groups)],
            "label": [("", _("Any label")), *((label, label) for label in fleet.labels(servers))],
            "state": [("", _("In any state")), *((state, SERVICE_STATES[state]) for state in selection.STATES)],
        }
        for name, field in self.fields.items():
            if isinstance(field, forms.ChoiceField) and name in choices:
                field.choices = choices[name]
            field.widget.attrs["class"] = "input"
        self.fields["target"].widget.attrs |= {"list": "rollout-services", "autocomplete": "off"}
        self.fields["name"].widget.attrs["placeholder"] = "web-*"
        self.fields["probe"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false"}
        self.names = _names(user)

    def clean_batch(self) -> str:
        """The size as the planner takes it."""
        size = str(self.cleaned_data["batch"]).replace(" ", "")
        if not plan.is_batch_size(size):
            raise forms.ValidationError(_("Use a number such as 4, or a share such as 25%."))
        return size

    def clean_probe(self) -> str:
        """The address, right for the verb."""
        address = str(self.cleaned_data["probe"])
        if said := probe.wrong(address, self.cleaned_data.get("cmd", "")):
            raise forms.ValidationError(capfirst(said))
        return address

    def wanted(self) -> Wanted:
        """The rollout asked for; the form is valid."""
        given: QueryDict = self.data  # type: ignore[assignment]
        chosen = self.cleaned_data
        return Wanted(
            chosen["cmd"],
            chosen["target"],
            Selection(
                group=chosen["group"],
                label=chosen["label"],
                name=chosen["name"],
                service_state=chosen["state"],
                servers=listed(given, "server"),
                without=listed(given, "without"),
            ),
            batch=chosen["batch"],
            order=chosen["order"],
            seed=chosen["seed"],
            pause=chosen["pause"],
            max_failures=chosen["failures"],
            probe=chosen["probe"],
            silent=chosen["silent"],
            deliver_within=chosen["within"],
        )

    def laid_out(self) -> list[list[tuple[Any, Any, Any]]]:
        """The fields line by line, each with its label and hint."""
        return [[(self[name], label, hint) for name, label, hint in line] for line in LAYOUT]


def listed(given: QueryDict, name: str) -> tuple[str, ...]:
    """The agent ids ticked under this name, each once."""
    return tuple(dict.fromkeys(text.replace("\0", "")[:64] for text in given.getlist(name)[:MOST_IDS]))


def new_seed() -> int:
    """One for a plan's mixed order, which then stays the same until it is confirmed."""
    return secrets.randbelow(start.SEED_MOST)


def filled(user: Any, given: QueryDict) -> RolloutForm:
    """The form with what the address says, the rest as it begins; its errors are told."""
    return RolloutForm(user, _begun(given))


def unfilled(user: Any, given: QueryDict) -> RolloutForm:
    """The same before anything was asked: without errors."""
    form = RolloutForm(user)
    form.initial = _begun(given).dict()
    return form


def _begun(given: QueryDict) -> QueryDict:
    data = given.copy()
    for name, field in RolloutForm.base_fields.items():
        if name not in data and field.initial is not None:
            data[name] = str(field.initial)
    if not data.get("seed"):
        data["seed"] = str(new_seed())
    return data


def _names(user: Any) -> list[str]:
    """Services the user sees, for the field's suggestions."""
    found = Service.objects.visible_to(user).order_by("name").values_list("name", flat=True).distinct()
    return list(found[:MOST_NAMES])
