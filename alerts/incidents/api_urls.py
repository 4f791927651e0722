"""The API's paths of incidents, under /api/alerts/."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "incidents_api"
urlpatterns: list[URLPattern] = []
