"""Rules in the Django admin, through the same checks and changes as everywhere."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from alerts.models import Rule
from alerts.rules import changes, checks, kinds, sentence, wanted
from alerts.rules.wanted import Wanted
from pmonitor import client
from pmonitor.problems import Problem

FIELDS = {  # a field's name on the wire, where it is another one than its column's
    "clearLimit": "clear_limit", "forSec": "for_sec", "clearForSec": "clear_for_sec",
    "escalateAfterSec": "escalate_after_sec", "escalateTo": "escalate_to", "remedy.cmd": "remedy_cmd",
    "remedy.target": "remedy_target", "remedy.most": "remedy_most", "remedy.withinSec": "remedy_within_sec",
    "remedy.cooldownSec": "remedy_cooldown_sec", "remedy.protected": "remedy_protected",
}  # fmt: skip


class RuleForm(forms.ModelForm[Rule]):
    """A rule's columns; `user` is put in by the admin."""

    user: Any = None
    kind = forms.ChoiceField(choices=[(name, kind.word) for name, kind in kinds.KINDS.items()])

    class Meta:
        model = Rule
        fields = Wanted._fields

    def clean(self) -> dict[str, Any]:
        """One validation for all: checks.py."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return given
        if not isinstance(given["params"] or {}, dict):
            self.add_error("params", _("must be an object such as {}"))
            return given
        rule = self.instance if self.instance.pk else None
        for name, said in checks.wrong(self.wanted(), self.user, rule).items():
            column = FIELDS.get(name, name.partition(".")[0])
            self.add_error(column, said if column in (name, FIELDS.get(name)) else f"{name}: {said}")
        return given

    def wanted(self) -> Wanted:
        """What was filled in."""
        given = self.cleaned_data
        many: dict[str, Any] = {name: tuple(sorted(one.pk for one in given[name])) for name in wanted.MANY}
        return Wanted(**{name: given[name] for name in wanted.COLUMNS}, **many)._replace(params=given["params"] or {})


@admin.register(Rule)
class RuleAdmin(admin.ModelAdmin[Rule]):
    """Deleted ones are kept for their incidents and not shown."""

    form = RuleForm
    list_display = ("name", "said", "scope", "severity", "enabled", "made_by_name", "version")
    list_filter = ("enabled", "severity", "kind")
    search_fields = ("name", "scope", "made_by_name")
    filter_horizontal = ("contacts", "escalate_to")
    actions = ("delete_chosen",)

    @admin.display(description=_("when"))
    def said(self, rule: Rule) -> str:
        return sentence.whole(rule)

    @admin.action(description=_("Delete the chosen rules"))
    def delete_chosen(self, request: HttpRequest, chosen: QuerySet[Rule]) -> None:
        for rule in chosen:
            changes.delete(request.user, rule, client.address(request) or None)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """What is refused only when it is saved (somebody was faster) is said."""
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Problem as problem:
            self.message_user(request, problem.sentence, messages.ERROR)
            return redirect("admin:alerts_rule_changelist")

    def get_actions(self, request: HttpRequest) -> Any:
        """Without Django's own, which would take the rows away."""
        return {name: one for name, one in super().get_actions(request).items() if name != "delete_selected"}

    def get_queryset(self, request: HttpRequest) -> Any:
        return Rule.objects.visible_to(request.user)

    def get_form(self, request: HttpRequest, obj: Rule | None = None, change: bool = False, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, change, **kwargs)
        return type("RuleForm", (made,), {"user": request.user})

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[list[str], dict[str, int], set[str], Any]:
        """Nothing goes with a rule: it and its incidents stay as rows."""
        return [str(rule) for rule in objs], {}, set(), []

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Rule:
        """The form's own copy of the row is not what is saved."""
        rule: Rule = form.instance
        return rule

    def save_model(self, request: HttpRequest, obj: Rule, form: Any, change: bool) -> None:
        address = client.address(request) or None
        if change:
            changes.change(request.user, obj, form.wanted(), address=address)
        else:
            obj.pk = changes.make(request.user, form.wanted(), address).pk

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Its contacts are saved with it."""

    def delete_model(self, request: HttpRequest, obj: Rule) -> None:
        changes.delete(request.user, obj, client.address(request) or None)
