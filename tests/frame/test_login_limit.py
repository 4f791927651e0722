"""Guessing passwords ends in a pause, for one name from one address; nobody else is kept out."""

from __future__ import annotations

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

HERE, THERE = "203.0.113.9", "198.51.100.7"


@pytest.fixture(autouse=True)
def _password(viewer: User) -> None:
    viewer.set_password("the right one 4711")
    viewer.save(update_fields=["password"])


def tried(password: str, address: str = HERE, **headers: str) -> int:
    client = Client(REMOTE_ADDR=address, headers=headers)
    return client.post("/login/", {"username": "vera", "password": password}).status_code


def guess_until_the_pause(address: str = HERE) -> None:
    found = [tried("wrong", address) for _ in range(settings.AXES_FAILURE_LIMIT)]
    assert found == [200] * (settings.AXES_FAILURE_LIMIT - 1) + [429]


def test_after_five_wrong_passwords_even_the_right_one_waits(db: None) -> None:
    guess_until_the_pause()
    response = Client(REMOTE_ADDR=HERE).post("/login/", {"username": "vera", "password": "the right one 4711"})
    assert response.status_code == 429
    assert response["Retry-After"] == "900"


def test_the_person_elsewhere_is_not_kept_out(db: None) -> None:
    guess_until_the_pause()
    assert tried("the right one 4711", THERE) == 302


def test_a_stranger_cannot_change_the_address_by_a_header(db: None) -> None:
    guess_until_the_pause()
    assert tried("wrong", **{"X-Forwarded-For": THERE}) == 429


def test_the_right_password_forgets_the_wrong_ones(db: None) -> None:
    assert [tried("wrong"), tried("wrong"), tried("the right one 4711")] == [200, 200, 302]
    assert not AccessAttempt.objects.exists()


def test_no_password_is_kept_in_the_attempts_or_logs(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    tried("a secret guess")
    assert "secret guess" not in repr(list(AccessAttempt.objects.values()))
    captured = capsys.readouterr()
    assert "secret guess" not in captured.out + captured.err
