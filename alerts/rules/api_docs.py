"""What the OpenAPI says of the calls about rules."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from actions.api_docs import NO_USER, WRONG, answer, error, shape
from alerts import states
from alerts.rules import kinds, wire

RULE = OpenApiParameter("number", OpenApiTypes.INT, OpenApiParameter.PATH, description="The rule's id.")
ASKED: dict[str, Any] = {
    "name": "Memory high on web",
    "kind": "reading",
    "params": {"metric": "mem"},
    "limit": 90,
    "clearLimit": 85,
    "forSec": 300,
    "clearForSec": 120,
    "scope": "role=web env=prod",
    "severity": "warning",
    "contacts": [1],
    "remedy": {"cmd": "restart", "target": "php8.4-fpm.service", "most": 2, "withinSec": 3600, "cooldownSec": 300},
}
SERVICE: dict[str, Any] = {
    "name": "Web service down",
    "kind": "service_failed",
    "params": {"service": "nginx.service"},
    "scope": "role=web",
    "severity": "critical",
    "escalateAfterSec": 900,
    "escalateTo": [2],
}
SAID: dict[str, Any] = {
    "id": 7,
    **ASKED,
    "params": {"metric": "mem", "below": False},
    "k": None,
    "n": None,
    "enabled": True,
    "escalateAfterSec": None,
    "escalateTo": [],
    "remedy": {**ASKED["remedy"], "protected": False},
    "sentence": "memory used above 90% for 5 min; restarts php8.4-fpm.service, 2 an hour at most",
    "version": 3,
    "stamp": "5d41402abc4b2a76",
    "madeBy": "Maria Ionescu",
    "madeAt": "2026-11-25T14:06:24.100Z",
    "firedIn30Days": 3,
    "lastFiredAt": "2026-11-22T00:38:10Z",
}
WHOLE: dict[str, Any] = {**SAID, "warnings": {}}  # by field: what is saved, and nothing answers to today
EPISODE: dict[str, Any] = {
    "agent": "web-buh-07",
    "subject": "",
    "beganAt": "2026-11-22T00:33:10Z",
    "openedAt": "2026-11-22T00:38:10Z",
    "closedAt": "2026-11-22T01:12:20Z",
    "value": 93.4,
}
TOLD: dict[str, Any] = {
    "from": "2026-11-18T14:06:24Z",
    "to": "2026-11-25T14:06:24Z",
    "matching": 412,
    "lookedAt": 412,
    "historyFrom": None,
    "fired": 1,
    "servers": 1,
    "actions": 1,
    "episodes": [EPISODE],
    "now": None,
}
NOT_FOUND = {404: error("No such rule.", "There is no such rule.")}
TOO_OFTEN = {429: error("Too many; Retry-After says when.", "Too many requests; try again in 40 s.")}
NOT_NOW = {409: error("Somebody was faster.", "Somebody deleted this rule meanwhile."), **TOO_OFTEN}
FIELDS = (
    "`kind` is one of "
    + ", ".join(f"`{kind}`" for kind in kinds.KINDS)
    + ". `params` depends on it: `metric` and `below` (reading), `mount` (disks), `by`, `pattern` "
    "(processes; of their CPU and memory also `together`, their sum), `service` (services), `withinSec` (what is "
    "counted, or happens at one moment). `scope` is a line such as `role=web env=prod group:buh web-*`; empty: every "
    "server. Spans are in seconds, times in UTC."
)


def _example(name: str, value: dict[str, object]) -> OpenApiExample:
    return OpenApiExample(name, value=value, request_only=True)


def _filter(name: str, *words: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, enum=["any", *words], description="Only such rules; any if not given.")


EXAMPLES = [_example("a reading", ASKED), _example("a service", SERVICE)]
listed = extend_schema(
    operation_id="list_rules",
    summary="List alert rules by name",
    parameters=[
        _filter("kind", *kinds.KINDS),
        _filter("severity", *states.SEVERITIES),
        _filter("enabled", "true", "false"),
    ],
    responses={200: answer("Rules.", {"rules": [SAID]}), **WRONG, **NO_USER},
)
make = extend_schema(
    operation_id="make_rule",
    summary="Make an alert rule",
    description=FIELDS,
    request=shape(wire.NewRule),
    examples=EXAMPLES,
    responses={201: answer("The new rule.", WHOLE), **WRONG, **NO_USER, **NOT_NOW},
)
get = extend_schema(
    operation_id="get_rule",
    summary="One alert rule",
    parameters=[RULE],
    responses={200: answer("The rule.", WHOLE), **NO_USER, **NOT_FOUND},
)
put = extend_schema(
    operation_id="put_rule",
    summary="Replace an alert rule",
    description="What is left out becomes as with a new rule. With `seen`, the `stamp` that was read, 409 when "
    "somebody changed it since.",
    parameters=[RULE],
    request=shape(wire.NewRule),
    examples=EXAMPLES,
    responses={200: answer("The rule as it is now.", WHOLE), **WRONG, **NO_USER, **NOT_FOUND, **NOT_NOW},
)
change = extend_schema(
    operation_id="change_rule",
    summary="Change an alert rule in part, switch it on or off",
    description="What is left out stays. From then on it acts in the caller's name.",
    parameters=[RULE],
    request=shape(wire.Change),
    examples=[_example("off", {"enabled": False}), _example("another limit", {"limit": 95, "clearLimit": 90})],
    responses={200: answer("The rule as it is now.", WHOLE), **WRONG, **NO_USER, **NOT_FOUND, **NOT_NOW},
)
delete = extend_schema(
    operation_id="delete_rule",
    summary="Delete an alert rule; its open incidents close",
    parameters=[RULE],
    request=None,
    responses={204: OpenApiResponse(description="It watches no more."), **NO_USER, **NOT_FOUND, **NOT_NOW},
)
clone = extend_schema(
    operation_id="clone_rule",
    summary="Make a copy of an alert rule",
    parameters=[RULE],
    request=shape(wire.Copy),
    examples=[_example("named", {"name": "Memory high on mail"})],
    responses={201: answer("The copy.", {**WHOLE, "id": 8}), **WRONG, **NO_USER, **NOT_FOUND, **NOT_NOW},
)
preview = extend_schema(
    operation_id="preview_rule",
    summary="What a rule would have done in the last 7 days",
    description="Nothing is kept. At most 500 servers are looked at, of some kinds fewer; for a rule on processes as "
    "many as there is time for: `lookedAt` of `matching`. `historyFrom` says from when on history keeps this, where "
    "that is later than `from`. `episodes` is null where history cannot tell; `now` then says on how many `servers`, "
    "and which `agents`, it holds now, of so many that are `heard`; else it is null, as it is of processes.",
    request=shape(wire.Watched),
    examples=EXAMPLES,
    responses={
        200: answer("The times at which it would have been open, newest first.", TOLD),
        **WRONG,
        **NO_USER,
        **TOO_OFTEN,
        503: error("Busy; Retry-After says when.", "The hub is busy with other previews."),
    },
)
