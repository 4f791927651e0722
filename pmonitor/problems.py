"""What the API says when it says no: {"error": sentence, "fields": {name: what is wrong}?}, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from pmonitor import logs
from pmonitor.access import public

log = logs.get(__name__)
AGAIN_SEC = 5  # for callers that met the database away


class Problem(exceptions.APIException):
    """Raise it in an API view: an HTTP status, one sentence for a person, the wrong fields by name."""

    def __init__(
        self,
        status: int,
        sentence: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status_code = status
        self.sentence = sentence
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})


def bad(fields: Mapping[str, str]) -> Problem:
    """A 400 that names every wrong field and what is wrong with it."""
    return Problem(400, "Wrong input: " + "; ".join(f"{name}: {what}" for name, what in fields.items()), fields)


def away() -> Problem:
    """A 503 for as long as the database does not answer, with the seconds after which to try again."""
    sentence = "The hub's database does not answer; try again soon."
    return Problem(503, sentence, headers={"Retry-After": str(AGAIN_SEC)})


def body(sentence: str, fields: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The answer's JSON, also for what answers outside of DRF."""
    return {"error": sentence, "fields": dict(fields)} if fields else {"error": sentence}


def of(exc: Exception, call: str) -> Problem:
    """What is answered to an exception of the call. One that nobody expected is logged with its trace."""
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, exceptions.ValidationError):
        return bad(_flat(exc.detail))
    if isinstance(exc, Http404):
        exc = exceptions.NotFound()
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if isinstance(exc, exceptions.APIException):
        return Problem(exc.status_code, str(exc.detail), headers=_headers(exc))
    log.error("api.failed", view=call, exc_info=exc)
    if isinstance(exc, OperationalError | InterfaceError):
        return away()
    return Problem(500, "The hub failed at this; the request id in X-Request-ID finds it in its log.")


def handle(exc: Exception, context: Mapping[str, Any]) -> Response:
    """DRF's exception handler."""
    problem = of(exc, type(context.get("view")).__name__)
    if problem.status_code == 500:
        got_request_exception.send(sender=None, request=context.get("request"))
    return Response(body(problem.sentence, problem.fields), problem.status_code, headers=problem.headers)


@csrf_exempt
@public(reason="there is nothing to protect")
def no_such_call(request: HttpRequest, rest: str) -> JsonResponse:
    """Every other address under api/: programs are answered in their language, too."""
    return JsonResponse(body("There is no such call; /api/docs lists them."), status=404)


def _headers(exc: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = exc.auth_header  # type: ignore[attr-defined]
    if getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(exc.wait))  # type: ignore[attr-defined]
    return headers


def _flat(detail: Any, name: str = "") -> dict[str, str]:
    """{"a": {"b": ["wrong"]}} as {"a.b": "wrong"}."""
    if isinstance(detail, dict):
        parts = [_flat(value, f"{name}.{key}" if name else str(key)) for key, value in detail.items()]
        return {key: what for part in parts for key, what in part.items()}
    if isinstance(detail, list):
        return {name or "body": " ".join(str(part) for part in detail)}
    return {name or "body": str(detail)}
