"""Signing in and out, and each person's language and theme."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth import login as begin_session
from django.contrib.auth import logout as end_session
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import check_for_language
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from pmonitor.access import public
from pmonitor.page import THEME_COOKIE, THEMES

A_YEAR = 365 * 86_400


@public(reason="the way in")
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@never_cache
def login(request: HttpRequest) -> HttpResponse:
    """The sign-in page; a right name and password lead to where the person was going."""
    onward = _inside(request, request.POST.get("next") or request.GET.get("next"))
    if request.user.is_authenticated and request.method != "POST":
        return redirect(onward)
    form = AuthenticationForm(request, request.POST or None)
    if request.method == "POST" and form.is_valid():
        begin_session(request, form.get_user())
        return redirect(onward)
    return render(request, "login.html", {"form": form, "next": onward, "tries": _tries_left(request, form)})


def _tries_left(request: HttpRequest, form: AuthenticationForm) -> int | None:
    """How often this person may still be wrong from this address before a pause; None before the first mistake."""
    if not form.is_bound or not form.data.get("username"):
        return None
    failures: int = AxesProxyHandler.get_failures(request, {"username": form.data["username"]})
    limit: int = settings.AXES_FAILURE_LIMIT
    return max(0, limit - failures)


def locked_out(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Too many wrong passwords: 429, and when to try again. Axes' middleware answers with this instead of the view."""
    pause = timedelta(hours=settings.AXES_COOLOFF_TIME)
    response = render(request, "429.html", {"pause": pause.total_seconds()}, status=429)
    response["Retry-After"] = str(int(pause.total_seconds()))
    return response


@public(reason="ends only the caller's own session")
@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """End the session."""
    end_session(request)
    return redirect(settings.LOGOUT_REDIRECT_URL)


@public(reason="the sign-in page is translated too")
@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Keep the chosen language in a cookie."""
    chosen = request.POST.get("language", "")
    response = _back(request)
    if check_for_language(chosen) and chosen in dict(settings.LANGUAGES):
        _keep(response, settings.LANGUAGE_COOKIE_NAME, chosen)
    return response


@public(reason="the sign-in page has a theme too")
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen theme in a cookie; to a script only that it is done."""
    chosen = request.POST.get("theme", "")
    response = HttpResponse(status=204) if request.headers.get("X-Requested-With") else _back(request)
    if chosen in THEMES:
        _keep(response, THEME_COOKIE, chosen)
    return response


def _keep(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(
        name, value, max_age=A_YEAR, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE, httponly=True
    )


def _back(request: HttpRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect(_inside(request, request.POST.get("next")))


def _inside(request: HttpRequest, address: str | None) -> str:
    """The address when it is on this site, else the first page."""
    allowed = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if address and allowed else resolve_url(settings.LOGIN_REDIRECT_URL)
