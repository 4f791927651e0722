"""Signing in and out, the pause after wrong passwords, and the cookies of language and theme."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

PASSWORD = "correct-horse-battery"


@pytest.fixture
def vera(viewer: User) -> User:
    viewer.set_password(PASSWORD)
    viewer.save(update_fields=["password"])
    return viewer


def try_to_sign_in(client: Client) -> Any:
    return client.post("/login/", {"username": "vera", "password": PASSWORD})


def test_the_right_password_opens_the_fleet(client: Client, vera: User) -> None:
    answer = try_to_sign_in(client)
    assert answer.status_code == 302
    assert answer["Location"] == "/"
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/audit/?x=1", "/audit/?x=1"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
    ],
)
def test_leads_on_only_within_this_site(client: Client, vera: User, asked: str, led_to: str) -> None:
    answer = client.post("/login/", {"username": "vera", "password": PASSWORD, "next": asked})
    assert answer["Location"] == led_to
    assert client.get("/login/", {"next": asked})["Location"] == led_to  # signed in already


def test_five_wrong_passwords_make_a_pause_with_its_length(client: Client, vera: User) -> None:
    said = [client.post("/login/", {"username": "vera", "password": "wrong"}) for _ in range(5)]
    assert [answer.status_code for answer in said] == [200, 200, 200, 200, 429]
    assert "4 tries left" in said[0].content.decode()
    assert "1 try left" in said[3].content.decode()
    assert said[4]["Retry-After"] == "900"
    right = client.post("/login/", {"username": "vera", "password": PASSWORD})
    assert right.status_code == 429  # the right one too, else guessing would go on
    assert client.get("/").status_code == 302


def test_the_pause_is_one_names_and_one_addresses(client: Client, vera: User, operator: User) -> None:
    for _ in range(5):
        client.post("/login/", {"username": "vera", "password": "wrong"})
    answer = client.post("/login/", {"username": "oleg", "password": "wrong"})
    assert answer.status_code == 200


def test_an_unknown_name_is_told_the_same(client: Client, vera: User) -> None:
    known = client.post("/login/", {"username": "vera", "password": "wrong"}).content.decode()
    unknown = client.post("/login/", {"username": "nobody", "password": "wrong"}).content.decode()
    wrong = "User name or password is wrong."
    assert wrong in known
    assert wrong in unknown


def test_signing_out_needs_a_post(as_viewer: Client) -> None:
    assert as_viewer.get("/logout/").status_code == 405
    assert as_viewer.get("/").status_code == 200
    assert as_viewer.post("/logout/")["Location"] == "/login/"
    assert as_viewer.get("/").status_code == 302


def test_language_is_kept(client: Client, db: None) -> None:
    answer = client.post("/language/", {"language": "ro", "next": "/login/"})
    assert answer["Location"] == "/login/"
    assert '<html lang="ro"' in client.get("/login/").content.decode()


@pytest.mark.parametrize("language", ["xx", "", "../etc"])
def test_an_unknown_language_changes_nothing(client: Client, db: None, language: str) -> None:
    client.post("/language/", {"language": language})
    assert '<html lang="en"' in client.get("/login/").content.decode()


def test_theme_is_written_by_the_server(client: Client, db: None) -> None:
    assert "data-theme=" not in client.get("/login/").content.decode()
    assert client.post("/theme/", {"theme": "dark"}, headers={"X-Requested-With": "fetch"}).status_code == 204
    assert '<html lang="en" data-theme="dark">' in client.get("/login/").content.decode()
    client.post("/theme/", {"theme": '"><script>'})
    assert 'data-theme="dark"' in client.get("/login/").content.decode()


def test_the_forms_are_guarded_against_other_sites(vera: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    for path in ("/login/", "/logout/", "/language/", "/theme/"):
        assert strict.post(path, {"username": "vera", "password": PASSWORD}).status_code == 403


def test_no_page_runs_or_styles_inline(client: Client, db: None) -> None:
    answer = client.get("/login/")
    page, policy = answer.content.decode(), answer["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "style=" not in page.replace("data-style=", "")
    assert "onclick" not in page
    assert answer["Cache-Control"].startswith("max-age=0")


def test_who_has_no_role_can_sign_out_at_least(client: Client, db: None) -> None:
    client.force_login(User.objects.create_user("nobody-yet"))
    told = client.get("/")
    assert told.status_code == 403
    assert f'action="{reverse("logout")}"' in told.content.decode()
