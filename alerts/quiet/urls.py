"""The pages of silences, under /alerts/."""

from __future__ import annotations

from django.urls import path

from alerts.quiet import views

app_name = "silences"
urlpatterns = [
    path("", views.listed, name="list"),
    path("new/", views.new, name="new"),
    path("preview/", views.preview, name="preview"),
    path("<int:number>/", views.detail, name="detail"),
    path("<int:number>/change/", views.change_end, name="change"),
    path("<int:number>/end/", views.end, name="end"),
]
