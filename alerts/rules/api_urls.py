"""The API's paths of rules, under /api/alerts/."""

from __future__ import annotations

from django.urls import path

from alerts.rules import api

app_name = "rules_api"
urlpatterns = [
    path("rules", api.Rules.as_view(), name="rules"),
    path("rules/preview", api.Preview.as_view(), name="preview"),
    path("rules/<int:number>", api.OneRule.as_view(), name="rule"),
    path("rules/<int:number>/clone", api.Clone.as_view(), name="clone"),
]
