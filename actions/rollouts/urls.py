"""The pages of rollouts."""

from __future__ import annotations

from django.urls import path

from actions.rollouts import views

app_name = "rollouts"
urlpatterns = [
    path("rollouts/", views.rollouts, name="list"),
    path("rollouts/new/", views.new, name="new"),
    path("rollouts/<int:number>/", views.one, name="one"),
    path("rollouts/<int:number>/<str:way>/", views.way, name="way"),
]
