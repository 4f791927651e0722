"""The API's paths of contacts, under /api/alerts/."""

from __future__ import annotations

from django.urls import path

from alerts.notify import api

app_name = "contacts_api"
urlpatterns = [
    path("contacts", api.Contacts.as_view(), name="list"),
    path("contacts/<int:contact>", api.OneContact.as_view(), name="one"),
    path("contacts/<int:contact>/tests", api.Tests.as_view(), name="tests"),
    path("contacts/<int:contact>/secret", api.Secret.as_view(), name="secret"),
]
