"""Django's admin as this hub uses it: for the role admin, behind our own sign-in page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from pmonitor import access


class HubAdminSite(admin.AdminSite):
    """Who may in is decided by the role; Django's is_staff means nothing here."""

    site_header = site_title = _("Process Monitor administration")
    site_url = "/"

    def has_permission(self, request: HttpRequest) -> bool:
        return access.has_role(request.user, access.ADMIN)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:  # type: ignore[override]
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


class ReadOnlyAdmin(admin.ModelAdmin[Any]):
    """Shown, and never changed from here."""

    actions = None

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ShownOnce(admin.ModelAdmin[Any]):
    """For secrets: made here, told once to whoever made them, never changed; to delete one is to revoke it."""

    actions = None

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def made(self, request: HttpRequest, secret: str) -> None:
        """Tell the new secret."""
        self.message_user(request, _("Copy it now, it is not shown again: %s") % secret)
