"""The pages of contacts, under /alerts/contacts/."""

from __future__ import annotations

from django.urls import path

from alerts.notify import views

app_name = "contacts"
urlpatterns = [
    path("", views.listed, name="list"),
    path("new/", views.new, name="new"),
    path("<int:pk>/", views.change, name="change"),
    path("<int:pk>/test/", views.test, name="test"),
    path("<int:pk>/enable/", views.enable, name="enable"),
    path("<int:pk>/disable/", views.disable, name="disable"),
    path("<int:pk>/secret/", views.renew, name="renew"),
    path("<int:pk>/delete/", views.delete, name="delete"),
]
