"""Contacts for programs: list, make, look at, change, try, delete. Operators see who there is, admins all of it."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from actions import wire as actions_wire
from alerts.models import Contact, Notification
from alerts.notify import api_docs, contacts, models, wire
from alerts.notify.checks import Wanted
from pmonitor import access, client, limits
from pmonitor.problems import Problem

NO_SUCH = "There is no such contact."
LARGEST = 2**63 - 1


class Contacts(access.OperatorApi):
    """All contacts, by name; an admin makes one."""

    @api_docs.listed
    def get(self, request: Request) -> Response:
        said = wire.whole if _is_admin(request) else wire.short
        return Response({"contacts": [said(contact) for contact in Contact.objects.all()]})

    @api_docs.make
    def post(self, request: Request) -> Response:
        _only_admins(request)
        given = actions_wire.read(request._request, wire.NEWS)
        wanted = Wanted(**{name: getattr(given, name) for name in Wanted._fields})
        contact = contacts.make(request.user, wanted, _address(request))
        return Response({**wire.whole(contact), **_secret(contact)}, status=201)


class OneContact(access.OperatorApi):
    """One contact; an admin changes or deletes it."""

    @api_docs.get
    def get(self, request: Request, contact: int) -> Response:
        found = _contact(contact)
        return Response(wire.whole(found) if _is_admin(request) else wire.short(found))

    @api_docs.change
    def patch(self, request: Request, contact: int) -> Response:
        _only_admins(request)
        found = _contact(contact)
        given = actions_wire.read(request._request, wire.CHANGES)
        new = {name: value for name in given.__struct_fields__ if (value := getattr(given, name)) is not None}
        contacts.change(request.user, found, contacts.wanted_of(found)._replace(**new), _address(request))
        if given.enabled and found.broken_at:
            contacts.enable(request.user, found, _address(request))
        return Response(wire.whole(found))

    @api_docs.delete
    def delete(self, request: Request, contact: int) -> Response:
        _only_admins(request)
        contacts.delete(request.user, _contact(contact), _address(request))
        return Response(status=204)


class Tests(access.ViewerApi):
    """Tries of a contact."""

    access = access.ADMIN

    @api_docs.tests
    def get(self, request: Request, contact: int) -> Response:
        _only_admins(request)
        tests = Notification.objects.filter(contact=_contact(contact), event=models.TEST)[:20]
        return Response({"notices": [wire.notice(row) for row in tests]})

    @api_docs.test
    def post(self, request: Request, contact: int) -> Response:
        _only_admins(request)
        return Response(wire.notice(contacts.try_out(request.user, _contact(contact), _address(request))), status=202)


class Secret(access.ViewerApi):
    """A webhook's secret."""

    access = access.ADMIN

    @api_docs.renew
    def post(self, request: Request, contact: int) -> Response:
        _only_admins(request)
        return Response({"secret": contacts.renew_secret(request.user, _contact(contact), _address(request))})


def _secret(contact: Contact) -> dict[str, Any]:
    return {"secret": contact.secret} if contact.secret else {}


def _is_admin(request: Request) -> bool:
    return access.has_role(request.user, access.ADMIN)


def _only_admins(request: Request) -> None:
    if not _is_admin(request):
        raise PermissionDenied
    if request.method != "GET":
        limits.hit("actions", f"user-{request.user.pk}")


def _contact(number: int) -> Contact:
    found = Contact.objects.filter(pk=number).first() if number <= LARGEST else None
    if found is None:
        raise Problem(404, NO_SUCH)
    return found


def _address(request: Request) -> str | None:
    return client.address(request._request) or None
