"""The pages of rules, under /alerts/rules/."""

from __future__ import annotations

from django.urls import path

from alerts.rules import views

app_name = "rules"
urlpatterns = [
    path("", views.listed, name="list"),
    path("new/", views.new, name="new"),
    path("fields/", views.fields, name="fields"),
    path("matches/", views.matches, name="matches"),
    path("preview/", views.preview, name="preview"),
    path("<int:number>/", views.one, name="one"),
    path("<int:number>/clone/", views.clone, name="clone"),
    path("<int:number>/on/", views.switch_on, name="on"),
    path("<int:number>/off/", views.switch_off, name="off"),
    path("<int:number>/delete/", views.delete, name="delete"),
]
