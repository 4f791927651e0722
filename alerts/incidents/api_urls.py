"""The API's paths of incidents, under /api/alerts/."""

from __future__ import annotations

from django.urls import path

from alerts.incidents import api

app_name = "incidents_api"
urlpatterns = [
    path("incidents", api.Incidents.as_view(), name="list"),
    path("incidents/<str:incident>", api.OneIncident.as_view(), name="one"),
    path("incidents/<str:incident>/<str:move>", api.MoveIncident.as_view(), name="move"),
]
