"""Users' API tokens: kept as a hash, usable until revoked, their use noted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import RequestFactory
from django.utils import timezone
from django.utils.crypto import salted_hmac
from pytest_django import DjangoAssertNumQueries, Settings
from rest_framework.request import Request

from pmonitor import access, secrets, tokens
from pmonitor.models import ApiToken


def used(token: str) -> None:
    request = RequestFactory().get("/", headers={"Authorization": f"Bearer {token}"})
    assert tokens.BearerAuthentication().authenticate(Request(request)) is not None


def test_only_a_hash_is_kept(viewer: User) -> None:
    token = tokens.new(viewer, "laptop")
    row = ApiToken.objects.get()
    assert token.startswith("pmu_")
    assert token.startswith(row.prefix)
    assert token[12:] not in f"{row.prefix}{row.hash}"
    found = tokens.find(token)
    assert found is not None
    assert (found.user, found.name) == (viewer, "laptop")


def test_a_token_is_only_found_whole(viewer: User) -> None:
    token = tokens.new(viewer)
    assert [tokens.find(text) for text in (token[:-1], token + "x", token[:12], "", "pmu_")] == [None] * 5


def test_a_revoked_token_is_not_found(viewer: User) -> None:
    token = tokens.new(viewer)
    ApiToken.objects.all().delete()
    assert tokens.find(token) is None


def test_use_is_noted_at_most_once_a_minute(viewer: User) -> None:
    token = tokens.new(viewer)
    used(token)
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    used(token)
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=timezone.now() - timedelta(seconds=61))
    used(token)
    again = ApiToken.objects.get().last_used_at
    assert again is not None
    assert again >= first


def test_the_command_prints_the_token_alone(viewer: User, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("api_token", viewer.username, "--name", "backup job")
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    row = tokens.find(printed.strip())
    assert row is not None
    assert (row.user, row.name) == (viewer, "backup job")


def test_the_command_names_an_unknown_user(db: None) -> None:
    with pytest.raises(CommandError, match="no user named ghost"):
        call_command("api_token", "ghost")


def test_the_user_comes_with_their_role_as_it_is_now(
    viewer: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    token = tokens.new(viewer)
    for groups, role in (([access.VIEWER], "viewer"), ([access.OPERATOR, access.VIEWER], "operator"), ([], None)):
        viewer.groups.set([Group.objects.get_or_create(name=name)[0] for name in groups])
        with django_assert_num_queries(1):
            found = tokens.find(token)
            assert found is not None
            assert access.role_of(found.user) == role
    User.objects.filter(pk=viewer.pk).update(is_superuser=True)
    found = tokens.find(token)
    assert found is not None
    assert access.role_of(found.user) == access.ADMIN
    User.objects.filter(pk=viewer.pk).update(is_active=False)
    assert tokens.find(token) is None


def test_a_hash_is_djangos_own_so_that_what_is_stored_stays_valid(settings: Settings) -> None:
    for settings.SECRET_KEY in ("one" * 20, "ünother" * 10):
        by_django = salted_hmac("pmonitor.secrets", "pma_é", algorithm="sha256").hexdigest()
        assert secrets.hash_of("pma_é") == by_django
        assert secrets.matches("pma_é", by_django)
