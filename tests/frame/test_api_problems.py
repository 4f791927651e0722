"""Every answer of the API that is a no has one shape; who is unknown gets 401, who may not 403."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import Client
from django.urls import path
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from pmonitor import problems, tokens
from pmonitor.access import OperatorApi, ViewerApi
from tests.cast import MODEL_BACKEND, program_of, signed_in

RAISED: dict[str, Exception] = {
    "problem": problems.Problem(409, "Already so.", {"target": "has a command"}, {"X-Why": "so"}),
    "bad": problems.bad({"cpu": "is not a number", "name": "is missing"}),
    "django404": Http404("secret detail"),
    "django403": PermissionDenied("secret detail"),
    "throttled": exceptions.Throttled(wait=7),
    "nested": exceptions.ValidationError({"procs": {"0": ["too long", "no text"]}, "ts": "late"}),
    "bug": RuntimeError("secret detail"),
}


class Raising(ViewerApi):
    def get(self, request: Request, what: str) -> Response:
        raise RAISED[what]


class Writing(OperatorApi):
    def post(self, request: Request) -> Response:
        return Response({"got": request.data})


urlpatterns = [path("raise/<what>", Raising.as_view()), path("write", Writing.as_view())]
pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db]


def answer(client: Client, what: str) -> tuple[int, Any]:
    client.raise_request_exception = False
    response = client.get(f"/raise/{what}")
    return response.status_code, response.json()


def test_problems_say_their_sentence_and_fields(as_viewer: Client) -> None:
    response = as_viewer.get("/raise/problem")
    assert response.status_code == 409
    assert response.json() == {"error": "Already so.", "fields": {"target": "has a command"}}
    assert response["X-Why"] == "so"
    status, said = answer(as_viewer, "bad")
    assert (status, said["fields"]) == (400, {"cpu": "is not a number", "name": "is missing"})


def test_validation_errors_name_fields_by_their_path(as_viewer: Client) -> None:
    status, said = answer(as_viewer, "nested")
    assert (status, said["fields"]) == (400, {"procs.0": "too long no text", "ts": "late"})


@pytest.mark.parametrize(("what", "status"), [("django404", 404), ("django403", 403), ("bug", 500)])
def test_nothing_of_the_inside_is_told(as_viewer: Client, what: str, status: int) -> None:
    found, said = answer(as_viewer, what)
    assert found == status
    assert list(said) == ["error"]
    assert "secret" not in said["error"]
    assert "Traceback" not in said["error"]


def test_throttling_says_when_to_come_back(as_viewer: Client) -> None:
    assert as_viewer.get("/raise/throttled")["Retry-After"] == "7"


def test_unreadable_bodies_and_wrong_methods_have_the_same_shape(as_operator: Client) -> None:
    for response, status in (
        (as_operator.post("/write", "{", content_type="application/json"), 400),
        (as_operator.post("/write", "a=b", content_type="text/plain"), 415),
        (as_operator.get("/write"), 405),
    ):
        assert response.status_code == status
        assert list(response.json()) == ["error"]


def test_no_user_is_401_and_says_how_to_come_back() -> None:
    response = Client().get("/raise/problem")
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_wrong_token_is_401(viewer: User) -> None:
    for value in ("Bearer pmu_wrong", "Bearer ", "Bearer " + "x" * 5000, f"Bearer {tokens.new(viewer)}x"):
        assert Client().get("/raise/problem", headers={"Authorization": value}).status_code == 401


def test_roles_decide(viewer: User, operator: User, admin: User, nobody: User) -> None:
    for user, read, write in ((nobody, 403, 403), (viewer, 409, 403), (operator, 409, 200), (admin, 409, 200)):
        for client in (signed_in(user), program_of(user)):
            assert client.get("/raise/problem").status_code == read
            assert client.post("/write", {}, content_type="application/json").status_code == write


def test_a_user_who_is_switched_off_is_401_with_token_and_session(viewer: User) -> None:
    clients = (signed_in(viewer), program_of(viewer))
    User.objects.filter(pk=viewer.pk).update(is_active=False)
    assert [client.get("/raise/problem").status_code for client in clients] == [401, 401]


def test_a_browser_must_prove_that_its_own_page_asked(operator: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(operator, backend=MODEL_BACKEND)
    assert client.post("/write", {}, content_type="application/json").status_code == 403
