"""What rules are called: starter rules in the reader's language, everybody else's as they were written."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation

from alerts.models import Rule
from alerts.rules import names, palette, starter
from servers.models import Server
from tests.actions.pages import text
from tests.alerts.opening import opened

pytestmark = pytest.mark.django_db
RO = {"Accept-Language": "ro"}


def test_each_starter_rule_has_words() -> None:
    assert list(names.STARTER) == [one.name for one in starter.STARTER]


def test_a_name_that_somebody_gave_stays_as_it_is() -> None:
    with translation.override("ro"):
        assert names.shown("Server silent") == "Server fără semnal"
        assert names.shown("Server silent, night") == "Server silent, night"
        assert "\u202e" not in names.shown("a\u202eb")


def test_pages_tell_it_in_the_readers_language(as_viewer: Client, web1: Server) -> None:
    starter.make_once()
    one = opened(Rule.objects.get(name="Server silent"), web1, "")
    for address in ("/alerts/rules/", f"/alerts/rules/{one.rule_id}/", f"/alerts/{one.uuid}/"):
        assert "Server silent" in text(as_viewer.get(address)), address
        assert "Server fără semnal" in text(as_viewer.get(address, headers=RO)), address


def test_a_changed_name_is_told_as_changed(as_viewer: Client) -> None:
    starter.make_once()
    Rule.objects.filter(name="Server silent").update(name="Machine quiet")
    shown = text(as_viewer.get("/alerts/rules/", headers=RO))
    assert "Machine quiet" in shown
    assert "Server fără semnal" not in shown


def test_the_editor_keeps_the_name_that_is_stored(as_admin: Client) -> None:
    starter.make_once()
    one = Rule.objects.get(name="Server silent")
    assert 'value="Server silent"' in text(as_admin.get(f"/alerts/rules/{one.pk}/", headers=RO))


def test_it_is_found_by_either_name(admin: User) -> None:
    starter.make_once()
    with translation.override("ro"):
        for words in ("server fără", "server silent"):
            assert [hit.text for hit in palette.rules(admin, words)] == ["Server fără semnal"]
