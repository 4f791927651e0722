"""What the OpenAPI says of the calls about contacts."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from actions.api_docs import NO_USER, WRONG, answer, error, shape
from alerts.notify import wire

CONTACT = OpenApiParameter("contact", OpenApiTypes.INT, OpenApiParameter.PATH, description="The contact's number.")
HOURS = {"days": [0, 1, 2, 3, 4], "from": "08:00", "to": "18:00", "zone": "Europe/Bucharest"}
SHORT: dict[str, Any] = {
    "id": 3,
    "name": "On call",
    "kind": "webhook",
    "state": "on",
    "brokenAt": None,
    "brokenWhy": "",
}
WHOLE: dict[str, Any] = {
    **SHORT,
    "address": "https://receiver.example.net/…",
    "severity": "critical",
    "hours": HOURS,
    "language": "ro",
    "allowInternal": False,
    "madeBy": "Maria Ionescu",
    "madeAt": "2026-11-25T14:06:24.100Z",
}
NOTICE: dict[str, Any] = {
    "id": 4711,
    "event": "test",
    "state": "sent",
    "madeAt": "2026-11-25T14:06:24.100Z",
    "dueAt": "2026-11-25T14:06:24.100Z",
    "inSummary": False,
    "sentAt": "2026-11-25T14:06:25.300Z",
    "attempts": 1,
    "error": "",
    "errorCode": "",
    "lastFailure": "",
    "lastFailureCode": "",
}
SECRET = "pmw_0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6e7f8a9b0c1"  # noqa: S105  an example
NOT_FOUND = {404: error("No such contact.", "There is no such contact.")}
TOO_MANY = {429: error("Too many; Retry-After says when.", "Too many requests; try again in 40 s.")}
SIGNED = (
    "A webhook gets its `secret` here, once. Each of its requests has the header "
    "`X-Pmonitor-Signature: t=SECONDS,v1=HEX`: the HMAC-SHA256 of `SECONDS.BODY` with the secret. "
    "`X-Pmonitor-Notice` is the notice's number, the same when it is sent again: notices come at least once. "
    "A storm's rest is one notice with the event `summary`: `summary.incidents` has the first 50 of its "
    "`summary.total` notices, with id, title, server, severity and url."
)


def _example(name: str, value: dict[str, object]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


listed = extend_schema(
    operation_id="list_contacts",
    summary="List contacts, by name",
    description="Operators are told names, kinds and states; admins everything but secrets and whole addresses.",
    responses={200: answer("Contacts.", {"contacts": [WHOLE]}), **NO_USER},
)
make = extend_schema(
    operation_id="make_contact",
    summary="Make a contact (admins)",
    description=SIGNED,
    request=shape(wire.NewContact),
    examples=[
        _example(
            "a webhook",
            {
                "name": "On call",
                "kind": "webhook",
                "address": "https://receiver.example.net/pmonitor",
                "severity": "critical",
                "hours": HOURS,
                "language": "ro",
            },
        ),
        _example("e-mail", {"name": "Operations", "kind": "email", "address": "ops@example.net"}),
    ],
    responses={201: answer("The new contact.", {**WHOLE, "secret": SECRET}), **WRONG, **NO_USER, **TOO_MANY},
)
get = extend_schema(
    operation_id="get_contact",
    summary="One contact",
    parameters=[CONTACT],
    responses={200: answer("The contact.", WHOLE), **NO_USER, **NOT_FOUND},
)
change = extend_schema(
    operation_id="change_contact",
    summary="Change a contact, or switch it on or off (admins)",
    description="What is left out stays. Switched on anew, or with another address, a broken one is tried again.",
    parameters=[CONTACT],
    request=shape(wire.Change),
    examples=[_example("off", {"enabled": False})],
    responses={200: answer("The contact as it is now.", WHOLE), **WRONG, **NO_USER, **NOT_FOUND, **TOO_MANY},
)
delete = extend_schema(
    operation_id="delete_contact",
    summary="Delete a contact; the incidents' timelines stay (admins)",
    parameters=[CONTACT],
    request=None,
    responses={204: OpenApiResponse(description="It is told of nothing any more."), **NO_USER, **NOT_FOUND, **TOO_MANY},
)
tests = extend_schema(
    operation_id="list_contact_tests",
    summary="The newest tests of a contact (admins)",
    parameters=[CONTACT],
    responses={200: answer("The newest first.", {"notices": [NOTICE]}), **NO_USER, **NOT_FOUND},
)
test = extend_schema(
    operation_id="test_contact",
    summary="Send a test to a contact (admins)",
    description="It goes the way that all notices go; one that gets there mends a broken contact.",
    parameters=[CONTACT],
    request=None,
    responses={
        202: answer("It waits to be sent.", {**NOTICE, "state": "queued", "sentAt": None, "attempts": 0}),
        **NO_USER,
        **NOT_FOUND,
        **TOO_MANY,
    },
)
renew = extend_schema(
    operation_id="renew_contact_secret",
    summary="Give a webhook a new secret (admins)",
    description="The old one is void at once.",
    parameters=[CONTACT],
    request=None,
    responses={
        200: answer("The new secret, told once.", {"secret": SECRET}),
        409: error("It is no webhook.", "Only webhooks have a secret."),
        **NO_USER,
        **NOT_FOUND,
        **TOO_MANY,
    },
)
