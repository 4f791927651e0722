"""The API's paths of contacts, under /api/alerts/."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "contacts_api"
urlpatterns: list[URLPattern] = []
