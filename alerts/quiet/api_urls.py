"""The API's paths of silences, under /api/alerts/."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "silences_api"
urlpatterns: list[URLPattern] = []
