"""The pages of incidents, under /alerts/."""

from __future__ import annotations

from django.urls import path

from alerts.incidents import acting, views

app_name = "incidents"
urlpatterns = [
    path("", views.listed, name="list"),
    path("newer/", views.newer, name="newer"),
    path("acknowledge/", acting.acknowledge_all, name="acknowledge-all"),
    path("<uuid:uuid>/", views.one, name="one"),
    path("<uuid:uuid>/members/", views.members, name="members"),
    path("<uuid:uuid>/close/", acting.close, name="close"),
    path("<uuid:uuid>/<str:move>/", acting.move, name="move"),
]
