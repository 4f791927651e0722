"""The pages about schedules, under schedules/."""

from __future__ import annotations

from django.urls import path

from actions.schedules import views

app_name = "schedules"
urlpatterns = [
    path("", views.listed, name="list"),
    path("new/", views.new, name="new"),
    path("times/", views.preview, name="times"),
    path("<uuid:uuid>/", views.detail, name="detail"),
    path("<uuid:uuid>/change/", views.change, name="change"),
    path("<uuid:uuid>/pause/", views.pause, name="pause"),
    path("<uuid:uuid>/resume/", views.resume, name="resume"),
    path("<uuid:uuid>/delete/", views.delete, name="delete"),
]
