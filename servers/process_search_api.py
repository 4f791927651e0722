"""The API that finds processes on all servers: now, at a moment, and at any time in a stretch of the past."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from pmonitor import limits, problems
from pmonitor.access import ViewerApi
from servers import api, api_examples, api_shapes, process_lives, process_parts, process_query, process_search
from servers.api_shapes import refusals
from servers.models import Server
from servers.process_asked import LONGEST
from servers.process_query import Wanted
from servers.query import Query

MOST_FOUND = 1000
AT_ONCE = 50  # servers whose process tables are held in memory
PART_SEC = 3.0  # after that, no further server is begun for an answer about a stretch
LARGEST_ID = 2**63 - 1
Q = (
    "words that must all be found, in upper or lower case: in the name, the command line, the user or the name of the"
    " service whose main process it is, or the pid itself. `name:` `cmd:` `user:` `pid:` `service:` before a word say"
    " where; quotes hold words together. `service:` also finds the service's child processes, and only now."
)
WORDS = [
    OpenApiParameter("q", str, description=Q),
    OpenApiParameter("name", str, description="a part of the name, in upper or lower case"),
    OpenApiParameter("user", str, description="the user's whole name, in upper or lower case"),
]
REFUSALS = refusals(
    s400="A parameter is wrong; it is named.", s429="Too many searches; Retry-After says how long.",
    s503="The hub is busy with other searches; try again.",
)  # fmt: skip


class AllProcesses(ViewerApi):
    """Processes over all servers."""

    @extend_schema(
        operation_id="find_processes",
        summary="Processes on all servers in your scope, now or at a past moment",
        parameters=[
            *WORDS, api.AT,
        ],
        responses={
            200: api_examples.shown(api_shapes.FoundProcesses),
            **REFUSALS,
        },
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        query = Query(request)
        wanted, at = _wanted(query), api.moment(query)
        if at and at < timezone.now() - settings.KEPT["processes"]:
            query.wrong["at"] = f"process tables are kept for {settings.KEPT['processes'].days} days"
        query.check()
        limits.hit("searches", f"user-{request.user.pk}")
        servers = Server.objects.visible_to(request.user).order_by("hostname").only("pk", "agent_id", "hostname")
        by_id = {server.pk: server for server in servers}
        gathered = process_search.Gathered(process_search.as_found, MOST_FOUND)
        with _place():
            untold = _gather(list(by_id), wanted, at, gathered)
        found = [
            api_shapes.Found(by_id[hit.server_id].agent_id, by_id[hit.server_id].hostname, hit.sampled_at, hit.proc)
            for hit in gathered.hits
        ]
        return api_shapes.answer(api_shapes.FoundProcesses(at or timezone.now(), gathered.total, found, untold))


class SeenProcesses(ViewerApi):
    """Processes over all servers, at any time in a stretch of the past."""

    @extend_schema(
        operation_id="find_processes_seen",
        summary="Processes that were on servers in your scope at any time in a stretch of the past",
        description="Looks through some servers for a few seconds; ask again with `after` as `next` says until that is"
        " null. Who stops asking has nothing more done for them.",
        parameters=[
            *WORDS,
            OpenApiParameter("from", datetime, description="ISO 8601 with its zone; an hour before `to` when left out"),
            OpenApiParameter("to", datetime, description="ISO 8601 with its zone; now when left out"),
            OpenApiParameter("after", int, description="`next` of the answer before"),
        ],
        responses={
            200: api_examples.shown(api_shapes.SeenProcesses),
            **REFUSALS,
        },
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        query = Query(request)
        wanted, (start, end) = _wanted(query, then=True), _stretch(query)
        after = query.whole("after", 0, 0, LARGEST_ID)
        query.check()
        limits.hit("search-parts", f"user-{request.user.pk}")
        servers = Server.objects.visible_to(request.user).order_by("pk").only("pk", "agent_id", "hostname").in_bulk()
        ids = sorted(servers)
        first = done = bisect_right(ids, after)
        found: list[api_shapes.Seen] = []
        began = time.monotonic()
        with _place():
            while done < len(ids) and (
                done == first or (time.monotonic() - began < PART_SEC and len(found) < MOST_FOUND)
            ):
                server = servers[ids[done]]
                lives = process_lives.lives(server.pk, wanted, start, end)
                found += [api_shapes.seen(server, life) for life in lives]
                done += 1
        following = ids[done - 1] if done < len(ids) else None
        return api_shapes.answer(api_shapes.SeenProcesses(start, end, done, len(ids), following, found))


@contextmanager
def _place() -> Iterator[None]:
    """One of the few searches at once."""
    try:
        with process_parts.place():
            yield
    except process_parts.Busy:
        raise problems.Problem(503, "The hub is busy with other searches.", headers={"Retry-After": "3"}) from None


def _stretch(query: Query) -> tuple[datetime, datetime]:
    """From and to, checked as the page checks them."""
    now = timezone.now()
    end = query.moment("to", now)
    start = query.moment("from", end - timedelta(hours=1))
    if start >= end:
        query.wrong.setdefault("from", "expected a time before `to`")
    elif end - start > LONGEST:
        query.wrong.setdefault("from", f"expected at most {LONGEST.days} days before `to`")
    elif start < now - settings.KEPT["processes"]:
        query.wrong.setdefault("from", f"process tables are kept for {settings.KEPT['processes'].days} days")
    if end > now + timedelta(seconds=5):
        query.wrong.setdefault("to", "expected a past moment")
    return start, end


def _wanted(query: Query, then: bool = False) -> Wanted:
    wanted = Wanted()
    try:
        wanted = process_query.parse(query.text("q"))
        if wanted.of_services and (then or query.given.get("at")):
            query.wrong["q"] = "service: is about now; it cannot be used of the past"
    except process_query.Wrong as wrong:
        query.wrong.setdefault("q", str(wrong))
    return process_query.both(wanted, query.text("name"), query.text("user"))


def _gather(server_ids: list[int], wanted: Wanted, at: datetime | None, gathered: process_search.Gathered) -> int:
    """Gather them; how many servers have no process table of that moment."""
    if at is None:
        process_search.now(server_ids, wanted, process_search.services(server_ids, wanted), gathered)
        return 0
    untold = 0
    for first in range(0, len(server_ids), AT_ONCE):
        ids = server_ids[first : first + AT_ONCE]
        untold += len(ids) - len(process_search.at(ids, at, api.within(), wanted, gathered))
        if gathered.full:
            break
    return untold
