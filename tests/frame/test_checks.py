"""The system checks: a bare view and settings that contradict each other are found."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from pytest_django import Settings
from rest_framework.views import APIView

from pmonitor import access, checks


def bare(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


class BareApi(APIView):
    pass


class Pretending(APIView):
    access = access.VIEWER


class Misspelt(APIView):
    access = "veiwer"


inner = [path("deep/<int:number>", bare), path("fine", access.viewer_required(bare))]
urlpatterns = [
    path("bare", bare),
    path("api", BareApi.as_view()),
    path("pretending", Pretending.as_view()),
    path("misspelt", Misspelt.as_view()),
    path("fine-api", access.ViewerApi.as_view()),
    path("public", access.public(reason="a test")(lambda request: HttpResponse())),
    path("inner/", include((inner, "inner"))),
]


def ids(found: list[Any]) -> dict[str, str]:
    return {str(message.msg).split()[0]: message.id for message in found}


def test_every_route_of_the_hub_says_who_may_call_it() -> None:
    assert checks.every_route_says_who_may_call_it() == []
    assert len(list(checks.routes())) > 20


@pytest.mark.urls(__name__)
def test_bare_views_are_errors_wherever_they_are() -> None:
    assert ids(checks.every_route_says_who_may_call_it()) == {
        "/bare": "pmonitor.E001",
        "/api": "pmonitor.E001",
        "/misspelt": "pmonitor.E001",
        "/inner/deep/<int:number>": "pmonitor.E001",
        "/pretending": "pmonitor.E002",
    }


@pytest.mark.urls(__name__)
def test_manage_py_refuses_to_start_with_one() -> None:
    assert {message.id for message in run_checks() if message.is_serious()} >= {"pmonitor.E001", "pmonitor.E002"}


def test_settings_that_contradict_each_other_are_named(settings: Settings) -> None:
    settings.HUB_URL, settings.SECURE, settings.DEBUG = "https://monitor.example.net", True, True
    settings.ALLOWED_HOSTS, settings.TRUSTED_PROXIES = ["localhost"], []
    assert {message.id for message in checks.settings_fit_together()} == {
        "pmonitor.E003",
        "pmonitor.W001",
        "pmonitor.W002",
    }
    assert all(message.hint for message in checks.settings_fit_together())
    settings.ALLOWED_HOSTS, settings.DEBUG = [".example.net"], False
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("0.0.0.0/0")]
    assert [message.id for message in checks.settings_fit_together()] == ["pmonitor.W003"]
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("172.30.0.0/16")]
    assert checks.settings_fit_together() == []


def test_deploy_checks_are_clean_with_the_settings_of_the_compose_file() -> None:
    environment = {
        **os.environ,
        "SECRET_KEY": "kJw8s7dh3kA92jdnvmQpX0aL4rT6yU1zBcEfGhIjKlMnOpQrSt",
        "HUB_URL": "https://monitor.example.net",
        "ALLOWED_HOSTS": "monitor.example.net,web,127.0.0.1",
        "TRUSTED_PROXIES": "172.30.231.0/24",
        "REDIS_URL": "redis://redis:6379/0",
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    root = Path(__file__).resolve().parent.parent.parent
    ended = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    ended = subprocess.run(
        command, cwd=root, env={**environment, "HUB_URL": ""}, text=True, capture_output=True, check=False
    )
    assert ended.returncode != 0  # so the command above can fail
