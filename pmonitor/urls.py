"""Every route: each app's list, and the frame's own."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from pmonitor import accounts, health, problems, schema

urlpatterns = [
    path("", include("servers.urls")),
    path("", include("actions.urls")),
    path("", include("actions.rollouts.urls")),
    path("schedules/", include("actions.schedules.urls")),
    path("alerts/", include("alerts.incidents.urls")),
    path("alerts/rules/", include("alerts.rules.urls")),
    path("alerts/silences/", include("alerts.quiet.urls")),
    path("alerts/contacts/", include("alerts.notify.urls")),
    path("api/", include("servers.api_urls")),
    path("api/", include("actions.api_urls")),
    path("api/alerts/", include("alerts.incidents.api_urls")),
    path("api/alerts/", include("alerts.rules.api_urls")),
    path("api/alerts/", include("alerts.quiet.api_urls")),
    path("api/alerts/contacts", include("alerts.notify.api_urls")),
    path("api/schema", schema.schema, name="schema"),
    path("api/docs", schema.docs, name="docs"),
    path("api/<path:rest>", problems.no_such_call),
    path("login/", accounts.login, name="login"),
    path("logout/", accounts.logout, name="logout"),
    path("language/", accounts.language, name="language"),
    path("theme/", accounts.theme, name="theme"),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
