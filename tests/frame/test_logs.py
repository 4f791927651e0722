"""What the log says: a request that is refused is a line, what the hub itself fails at comes with its trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys

ASKING = """
import django

django.setup()

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import path

from pmonitor import logs


def refuses(request):
    raise PermissionDenied


def fails(request):
    raise RuntimeError("broken")


settings.ROOT_URLCONF = (path("refused/", refuses), path("failed/", fails))
settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]  # the plain pages of Django
logs.configure("json", "INFO")
client = Client(raise_request_exception=False, enforce_csrf_checks=True)
for method, address, host in (
    ("get", "/refused/", "localhost"),
    ("post", "/refused/", "localhost"),
    ("get", "/refused/", "evil.example"),
    ("get", "/failed/", "localhost"),
):
    getattr(client, method)(address, headers={"Host": host})
"""


def test_only_what_the_hub_fails_at_is_traced() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKING], env=dict(os.environ), capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    said = {line["event"].partition(" You may")[0]: "exception" in line for line in lines}
    assert said == {
        "Forbidden (Permission denied): /refused/": False,
        "Forbidden (CSRF cookie not set.): /refused/": False,
        "Invalid HTTP_HOST header: 'evil.example'.": False,
        "Internal Server Error: /failed/": True,
    }
    assert done.stderr.count("Traceback") == 1
