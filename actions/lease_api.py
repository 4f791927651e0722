"""Services that are stopped for a time, for programs."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from actions import api_docs, records, states
from actions.models import Lease
from pmonitor import access
from servers.query import Query

LIST_MOST = 500


class Leases(access.ViewerApi):
    """Those in the caller's scope: open ones, the first to end first; with state=ended the last ones, newest first."""

    @api_docs.leases
    def get(self, request: Request) -> Response:
        query = Query(request)
        agent, wanted = query.text("agent"), query.text("state") or "open"
        if wanted not in ("open", "ended"):
            query.wrong["state"] = "expected open or ended"
        query.check()
        found = Lease.objects.visible_to(request.user).select_related("command", "server")
        if agent:
            found = found.filter(server__agent_id=agent.replace("\0", ""))
        if wanted == "open":
            found = found.open().order_by("until", "id")
        else:
            found = found.filter(state__in=states.LEASE_ENDED).order_by("-id")
        return Response({"leases": [whole(lease) for lease in found[:LIST_MOST]]})


def whole(lease: Lease) -> dict[str, Any]:
    """A lease with where it is and whose it is."""
    command = lease.command
    who = {"agent": lease.server.agent_id, "target": lease.target, "command": command.uuid}
    return {**who, "askedBy": command.asked_by_name, "reason": command.reason, **(records.lease(lease) or {})}
