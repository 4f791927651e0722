"""Servers, groups, scopes and enrolment keys in the Django admin; what agents reported is read-only."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from pmonitor import secrets
from pmonitor.admin_site import ReadOnlyAdmin, ShownOnce
from servers import networks
from servers.models import EnrolmentKey, Newest, Scope, Server, ServerGroup, Service


class ServerForm(forms.ModelForm[Server]):
    class Meta:
        model = Server
        fields = ("group", "labels", "allowed_networks")

    def clean_allowed_networks(self) -> list[str]:
        found = self.cleaned_data["allowed_networks"] or []
        networks.validate(found)
        return list(found)

    def clean_labels(self) -> dict[str, str]:
        found = self.cleaned_data["labels"] or {}
        if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
            raise forms.ValidationError('Use texts by name, such as {"env": "prod"}.')
        return found


@admin.register(Server)
class ServerAdmin(admin.ModelAdmin[Server]):
    """Servers come by enrolling; here they get a group, labels and the networks their agent may call from."""

    form = ServerForm
    list_display = ("hostname", "agent_id", "group", "state", "state_since", "enrolled_at")
    list_filter = ("state", "group")
    list_select_related = ("group",)
    search_fields = ("hostname", "agent_id")
    fields = ("hostname", "agent_id", "group", "labels", "allowed_networks", "state", "state_since", "enrolled_at")
    readonly_fields = ("hostname", "agent_id", "state", "state_since", "enrolled_at")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], Any]:
        """What a server reported goes with it, though nobody may delete that alone; its commands keep it here."""
        shown, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        reported = {str(model._meta.verbose_name) for model in (Newest, Service)}
        missing = set() if protected else {str(name) for name in forbidden} - reported
        return shown, counts, missing, protected


@admin.register(ServerGroup)
class ServerGroupAdmin(admin.ModelAdmin[ServerGroup]):
    search_fields = ("name",)


@admin.register(Scope)
class ScopeAdmin(admin.ModelAdmin[Scope]):
    list_display = ("user", "everything")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    filter_horizontal = ("groups",)


@admin.register(EnrolmentKey)
class EnrolmentKeyAdmin(ShownOnce):
    list_display = ("prefix", "note", "group", "uses_left", "expires_at", "created_by")
    list_select_related = ("group", "created_by")
    fields = ("note", "group", "uses_left", "expires_at", "prefix", "created_at", "created_by")
    readonly_fields = ("prefix", "created_at", "created_by")

    def save_model(self, request: HttpRequest, obj: EnrolmentKey, form: Any, change: bool) -> None:
        secret, obj.prefix, obj.hash = secrets.new("pme")
        obj.created_by_id = request.user.pk
        super().save_model(request, obj, form, change)
        self.made(request, secret)


@admin.register(Service)
class ServiceAdmin(ReadOnlyAdmin):
    list_display = ("name", "server", "manager", "active_state", "sub_state", "main_pid", "n_restarts")
    list_filter = ("active_state", "manager")
    list_select_related = ("server",)
    search_fields = ("name", "server__hostname", "server__agent_id")


@admin.register(Newest)
class NewestAdmin(ReadOnlyAdmin):
    list_display = ("server", "received_at", "cpu", "mem_used_mb", "load1", "procs_total", "top_name")
    list_select_related = ("server",)
    search_fields = ("server__hostname", "server__agent_id")
    exclude = ("procs", "raw_procs")  # packed
