"""The servers' API alone, at its usual place."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("api/", include("servers.api_urls"))]
