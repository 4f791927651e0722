"""Commands and the audit trail in the Django admin: read-only; and the list of protected services."""

from __future__ import annotations

from django.contrib import admin

from actions.models import AuditEntry, Command, ProtectedUnit
from actions.rollouts.models import Rollout
from actions.schedules.models import Schedule
from pmonitor.admin_site import ReadOnlyAdmin


@admin.register(Command)
class CommandAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "server", "cmd", "target", "state", "asked_by_name", "asked_from", "ended_at")
    list_filter = ("state", "cmd")
    list_select_related = ("server",)
    search_fields = ("uuid", "target", "server__hostname", "server__agent_id", "asked_by_name")
    date_hierarchy = "created_at"


@admin.register(ProtectedUnit)
class ProtectedUnitAdmin(admin.ModelAdmin[ProtectedUnit]):
    """What asks for its name to be typed before it is stopped or restarted."""

    list_display = ("pattern", "kind")
    list_filter = ("kind",)
    search_fields = ("pattern",)


@admin.register(Rollout)
class RolloutAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "cmd", "target", "state", "asked_by_name", "led_by_name", "changed_at")
    list_filter = ("state", "cmd")
    search_fields = ("target", "asked_by_name", "reason")
    date_hierarchy = "created_at"


@admin.register(Schedule)
class ScheduleAdmin(ReadOnlyAdmin):
    list_display = ("made_at", "server", "cmd", "target", "cron", "once_at", "zone", "enabled", "next_at", "made_by")
    list_filter = ("enabled", "cmd", "last_outcome")
    list_select_related = ("server", "made_by")
    search_fields = ("target", "server__hostname", "server__agent_id", "made_by_name", "reason")
    date_hierarchy = "made_at"


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "event", "actor", "address", "server", "cmd", "target", "from_state", "to_state", "reason")
    list_filter = ("event", "to_state")
    list_select_related = ("server",)
    search_fields = ("actor", "target", "server__hostname", "server__agent_id", "reason")
    date_hierarchy = "at"
