"""The live topic of silences: who may watch it, and that its version moves whenever the list does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts.models import Silence
from alerts.quiet import live, silences
from pmonitor.live import TOPICS, View
from tests.actions.pages import text
from tests.alerts.quiet.making import silence

pytestmark = pytest.mark.django_db
VIEW = View("en", "viewer")


def version() -> str:
    return TOPICS["silences"].update("all", VIEW, None)[0].version


def test_whoever_has_a_role_watches_it(viewer: User, nobody: User) -> None:
    may_watch = TOPICS["silences"].may_watch
    assert may_watch(viewer, {"all", "1", ""}) == {"all"}
    assert may_watch(nobody, {"all"}) == set()


def test_the_version_moves_when_one_is_made_changed_or_ended(admin: User) -> None:
    seen = [version()]
    one = silence()
    seen.append(version())
    silences.change_end(admin, one, timezone.now() + timedelta(hours=5))
    seen.append(version())
    silences.end(admin, one)
    seen.append(version())
    assert len(set(seen)) == 4
    assert version() == seen[-1]


def test_the_version_moves_when_one_begins() -> None:
    one, now = silence(), timezone.now()
    Silence.objects.filter(pk=one.pk).update(starts_at=now + timedelta(minutes=30))
    coming = version()
    Silence.objects.filter(pk=one.pk).update(starts_at=now - timedelta(minutes=30))
    assert version() != coming


def test_the_page_shows_the_version_that_the_hub_would_send(as_viewer: Client) -> None:
    silence()
    shown = text(as_viewer.get("/alerts/silences/"))
    assert f'data-version="{live.version()}"' in shown
    assert 'hx-trigger="pm:silences from:document' in shown


def test_a_change_is_announced(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr("pmonitor.live.announce", lambda *topics: told.extend(topics))
    silences.end(admin, silence())
    assert told.count("silences:all") == 1
