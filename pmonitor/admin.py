"""The frame's own rows in the Django admin: people, their tokens, the worker's steps, and the admin's own log."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from pmonitor import secrets
from pmonitor.admin_site import ReadOnlyAdmin, ShownOnce
from pmonitor.models import ApiToken, StepRun

admin.site.unregister(User)
admin.site.unregister(Group)  # the three roles are fixed


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    """A person's role is the highest of their groups; single permissions and is_staff are not used."""

    list_display = ("username", "first_name", "last_name", "email", "is_active", "last_login")
    list_filter = ("is_active", "groups")
    filter_horizontal: ClassVar[Any] = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Personal info"), {"fields": ("first_name", "last_name", "email")}),
        (_("Role"), {"fields": ("is_active", "groups", "is_superuser")}),
        (_("Important dates"), {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")


@admin.register(ApiToken)
class ApiTokenAdmin(ShownOnce):
    list_display = ("prefix", "user", "name", "created_at", "last_used_at")
    list_select_related = ("user",)
    search_fields = ("prefix", "name", "user__username")
    fields = ("user", "name", "prefix", "created_at", "last_used_at")
    readonly_fields = ("prefix", "created_at", "last_used_at")

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        secret, obj.prefix, obj.hash = secrets.new("pmu")
        super().save_model(request, obj, form, change)
        self.made(request, secret)


@admin.register(StepRun)
class StepRunAdmin(ReadOnlyAdmin):
    list_display = ("name", "ran_at", "seconds", "error")


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    """What admins changed in here."""

    list_display = ("action_time", "user", "content_type", "object_repr", "action_flag")
    list_filter = ("action_flag", "content_type")
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr", "user__username")
