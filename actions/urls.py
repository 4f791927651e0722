"""The pages about commands."""

from __future__ import annotations

from django.urls import path

from actions import process_views, service_views, views

app_name = "actions"
urlpatterns = [
    path("servers/<str:agent_id>/services/<str:name>/", service_views.detail, name="service"),
    path("servers/<str:agent_id>/services/<str:name>/log/", service_views.log, name="log"),
    path("servers/<str:agent_id>/services/<str:name>/<str:cmd>/", views.confirm, name="confirm"),
    path("servers/<str:agent_id>/processes/<int:pid>-<int:ticks>/act/", process_views.process, name="process"),
    path("commands/<uuid:uuid>/", views.command, name="command"),
    path("commands/<uuid:uuid>/cancel/", views.cancel, name="cancel"),
    path("audit/", views.audit, name="audit"),
    path("audit/newer/", views.audit_newer, name="audit-newer"),
    path("audit.csv", views.audit_csv, name="audit-csv"),
]
