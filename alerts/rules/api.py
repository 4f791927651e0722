"""Rules for programs: list, make, look at, change, delete, copy, and what one would have done."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from actions import wire as actions_wire
from alerts import states
from alerts.models import Rule
from alerts.rules import api_docs, changes, checks, fired, kinds, preview, unmet, wanted, wire
from alerts.rules.wanted import Wanted
from pmonitor import access, client, limits
from pmonitor.problems import Problem, bad
from servers.query import Query

ANY = "any"
AGAIN_SEC = 5


class Rules(access.ViewerApi):
    """All rules, by name; an operator makes one."""

    @api_docs.listed
    def get(self, request: Request) -> Response:
        query = Query(request)
        kind = query.one_of("kind", ANY, [ANY, *kinds.KINDS])
        severity = query.one_of("severity", ANY, [ANY, *states.SEVERITIES])
        enabled = query.one_of("enabled", ANY, [ANY, "true", "false"])
        query.check()
        found = _rules(request)
        for column, value in (("kind", kind), ("severity", severity)):
            found = found if value == ANY else found.filter(**{column: value})
        found = found if enabled == ANY else found.filter(enabled=enabled == "true")
        return Response({"rules": [wire.said(rule) for rule in found]})

    @api_docs.make
    def post(self, request: Request) -> Response:
        _writes(request)
        given = actions_wire.read(request._request, wire.NEWS)
        made = changes.make(request.user, Wanted(**wire.asked(given)), _address(request))
        return Response(_whole(request, made.pk), status=201)


class OneRule(access.ViewerApi):
    """One rule; an operator changes or deletes it."""

    @api_docs.get
    def get(self, request: Request, number: int) -> Response:
        return Response(_whole(request, number))

    @api_docs.put
    def put(self, request: Request, number: int) -> Response:
        _writes(request)
        given = actions_wire.read(request._request, wire.NEWS)
        return _changed(request, _rule(request, number), Wanted(**wire.asked(given)), given.seen)

    @api_docs.change
    def patch(self, request: Request, number: int) -> Response:
        _writes(request)
        rule, given = _rule(request, number), actions_wire.read(request._request, wire.CHANGES)
        return _changed(request, rule, wanted.of(rule)._replace(**wire.asked(given)), given.seen)

    @api_docs.delete
    def delete(self, request: Request, number: int) -> Response:
        _writes(request)
        changes.delete(request.user, _rule(request, number), _address(request))
        return Response(status=204)


class Clone(access.OperatorApi):
    """A copy of a rule."""

    @api_docs.clone
    def post(self, request: Request, number: int) -> Response:
        _writes(request)
        rule, given = _rule(request, number), actions_wire.read(request._request, wire.COPIES)
        copy = changes.copy_of(rule)
        made = changes.make(request.user, copy._replace(name=given.name.strip() or copy.name), _address(request))
        return Response(_whole(request, made.pk), status=201)


class Preview(access.OperatorApi):
    """What a rule would have done in the last days, without making it."""

    @api_docs.preview
    def post(self, request: Request) -> Response:
        limits.hit("search-parts", f"user-{request.user.pk}")
        given = Wanted(**wire.asked(actions_wire.read(request._request, wire.PREVIEWS)))
        if wrong := checks.watching(given):
            raise bad(wrong)
        told = preview.find(request.user, given)
        if told is None:
            raise Problem(503, "The hub is busy with other previews.", headers={"Retry-After": str(AGAIN_SEC)})
        return Response(wire.previewed(told, preview.acted(given, told.episodes or [])))


def _changed(request: Request, rule: Rule, given: Wanted, seen: str) -> Response:
    changes.change(request.user, rule, given, seen, _address(request))
    return Response(_whole(request, rule.pk))


def _whole(request: Request, number: int) -> dict[str, Any]:
    """A rule, and what of it nothing answers to today."""
    rule = _rule(request, number)
    return {**wire.said(rule), "warnings": unmet.warnings(wanted.of(rule))}


def _writes(request: Request) -> None:
    if not access.has_role(request.user, access.OPERATOR):
        raise PermissionDenied
    limits.hit("actions", f"user-{request.user.pk}")


def _rules(request: Request) -> Any:
    found = fired.counted(Rule.objects.visible_to(request.user), request.user)
    return found.prefetch_related(*wanted.MANY)


def _rule(request: Request, number: int) -> Rule:
    rule: Rule | None = _rules(request).filter(pk=number).first()
    if rule is None:
        raise Problem(404, "There is no such rule.")
    return rule


def _address(request: Request) -> str | None:
    return client.address(request._request) or None
