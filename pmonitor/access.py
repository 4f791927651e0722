"""Who may call what: the only access decorators, and the roles behind them.

Every view wears one; checks.py walks all routes and fails on a bare one. Roles are the groups viewer, operator
and admin (each includes the ones before it); a superuser is an admin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
ROLES = (VIEWER, OPERATOR, ADMIN)
AGENT, PUBLIC = "agent", "public"

View = Callable[..., HttpResponseBase]


def role_of(user: AbstractBaseUser | AnonymousUser) -> str | None:
    """The user's highest role, or None: not signed in, not active, or in none of the groups."""
    if not user.is_authenticated or not user.is_active:
        return None
    person: Any = user
    if not hasattr(person, "_role"):
        keep_role(person, person.groups.values_list("name", flat=True))
    role: str | None = person._role
    return role


def may_watch_all(user: AbstractBaseUser | AnonymousUser, keys: set[str]) -> set[str]:
    """Who may watch a live topic that tells only that something moved: whoever has a role, by the key "all"."""
    return keys & {"all"} if role_of(user) else set()


def keep_role(user: Any, groups: Iterable[str]) -> None:
    """Note with the user the role that these groups of theirs give, so that `role_of` need not ask for them."""
    names = {ADMIN} if user.is_superuser else set(groups)
    user._role = next((role for role in reversed(ROLES) if role in names), None)


def has_role(user: AbstractBaseUser | AnonymousUser, role: str) -> bool:
    """Whether the user's role is at least this one."""
    mine = role_of(user)
    return mine is not None and ROLES.index(mine) >= ROLES.index(role)


def _requires(role: str) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_login(request)
            if not has_role(request.user, role):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        guarded.access = role  # type: ignore[attr-defined]
        return guarded

    return decorate


def _to_login(request: HttpRequest) -> HttpResponseBase:
    if request.headers.get("HX-Request"):
        page = urlsplit(request.headers.get("HX-Current-URL", ""))  # not the fragment it asked for
        onward = urlencode({"next": page._replace(scheme="", netloc="", fragment="").geturl() or "/"})
        return HttpResponse(status=401, headers={"HX-Redirect": f"/login/?{onward}"})
    return redirect_to_login(request.get_full_path())


viewer_required = _requires(VIEWER)
operator_required = _requires(OPERATOR)
admin_required = _requires(ADMIN)


def agent_only(view: Any) -> Any:
    """For API views whose caller is an agent; the view's own authentication class checks its token."""
    view.access = AGENT
    return view


def public(reason: str) -> Callable[[Any], Any]:
    """For what anyone may call; the reason is for whoever reads the code."""

    def decorate(view: Any) -> Any:
        view.access = PUBLIC
        view.public_reason = reason
        return view

    return decorate


class RolePermission(BasePermission):
    """The role an API view names in `access`; DRF answers 401 without a user and 403 with the wrong one."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return has_role(request.user, view.access)  # type: ignore[attr-defined]


class ViewerApi(APIView):
    """An API view for viewers and up; the caller is a user's token or a browser's session."""

    access = VIEWER
    permission_classes = [RolePermission]


class OperatorApi(ViewerApi):
    """An API view for operators and up."""

    access = OPERATOR


class RoleBackend(BaseBackend):
    """Django's permissions, as the Django admin asks for them: admins have all of them, others none."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        return has_role(user_obj, ADMIN)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return has_role(user_obj, ADMIN)
