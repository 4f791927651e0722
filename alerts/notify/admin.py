"""Contacts and notices in the Django admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from alerts.models import Contact, Notification
from alerts.notify import checks, contacts, words
from alerts.notify.checks import Wanted
from pmonitor import client
from pmonitor.admin_site import ReadOnlyAdmin

FIELDS = {"address": "new_address"}


class ContactAdminForm(forms.ModelForm[Contact]):
    """The checks are those of the page. The address is never shown; of one that is changed, an empty one stays."""

    # No field of the model's name: the admin would fill it with what is recorded.
    new_address = forms.CharField(label=_("address"), max_length=checks.ADDRESS_LENGTH, required=False)

    class Meta:
        model = Contact
        fields = ("name", "kind", "severity", "hours", "language", "allow_internal", "enabled")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        own = Contact.objects.filter(pk=self.instance.pk).first()
        self.wanted = Wanted(
            name=given.get("name", ""),
            kind=own.kind if own else given.get("kind", ""),
            address=given.get("new_address") or (own.address if own else ""),
            severity=given.get("severity", ""),
            hours=given.get("hours") or {},
            language=given.get("language", ""),
            allow_internal=given.get("allow_internal", False),
            enabled=given.get("enabled", False),
        )
        for name, said in checks.wrong(self.wanted, own).items():
            field = FIELDS.get(name, name).partition(".")[0]
            if field not in self.errors:
                self.add_error(field, said)
        return given


@admin.register(Contact)
class ContactAdmin(admin.ModelAdmin[Contact]):
    """Changed through notify/contacts.py, so that the audit trail has it."""

    form = ContactAdminForm
    list_display = ("name", "kind", "masked", "severity", "enabled", "broken_at")
    list_filter = ("kind", "enabled")
    search_fields = ("name",)
    fields = ("name", "kind", "masked", "new_address", "severity", "hours", "language", "allow_internal", "enabled")
    readonly_fields = ("masked",)

    @admin.display(description=_("address"))
    def masked(self, contact: Contact) -> str:
        return words.masked(contact) if contact.pk else "—"

    def get_readonly_fields(self, request: HttpRequest, obj: Contact | None = None) -> tuple[str, ...]:
        return ("masked", "kind") if obj else ("masked",)

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        address = client.address(request) or None
        if change:
            contacts.change(request.user, Contact.objects.get(pk=obj.pk), form.wanted, address)
            return
        made = contacts.make(request.user, form.wanted, address)
        obj.pk = made.pk
        if made.secret:
            self.message_user(request, _("Copy it now, it is not shown again: %s") % made.secret)

    def delete_model(self, request: HttpRequest, obj: Contact) -> None:
        contacts.delete(request.user, obj, client.address(request) or None)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        for contact in queryset:
            contacts.delete(request.user, contact, client.address(request) or None)


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ("made_at", "contact", "event", "incident", "state", "attempts", "sent_at", "error")
    list_filter = ("state", "event")
    list_select_related = ("contact", "incident")
    search_fields = ("contact__name", "incident__rule_name")
    exclude = ("facts",)
