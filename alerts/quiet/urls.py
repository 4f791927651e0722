"""The pages of silences, under /alerts/."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "silences"
urlpatterns: list[URLPattern] = []
