"""The API's paths of rules, under /api/alerts/."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "rules_api"
urlpatterns: list[URLPattern] = []
