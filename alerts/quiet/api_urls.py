"""The API's paths of silences, under /api/alerts/."""

from __future__ import annotations

from django.urls import path

from alerts.quiet import api

app_name = "silences_api"
urlpatterns = [
    path("silences", api.Silences.as_view(), name="list"),
    path("silences/<int:number>", api.OneSilence.as_view(), name="one"),
    path("silences/<int:number>/end", api.EndOfSilence.as_view(), name="end"),
]
