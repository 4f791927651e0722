"""The API's explanation of a stretch: what the page says, as data."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from msgspec import Struct, field
from rest_framework.request import Request

from pmonitor.access import ViewerApi
from servers import api, api_shapes, server_page, spike, spike_asked, spike_found, spike_page, spike_words
from servers.models import Server
from servers.query import Query
from servers.spike import Explained, Group, Part
from servers.spike_found import Found
from servers.wire import on_the_wire

USUAL = timedelta(hours=1)
METRIC = "CPU in percent of one core, or memory in MB; cpu when left out"


class Two(Struct, rename=on_the_wire):
    """Something of the stretch before and of the stretch; null: not known."""

    before: float | None
    now: float | None


class Of(Two, rename=on_the_wire):
    """Means; change: now less before; share: its percentage of the rise, null where there is none."""

    change: float | None
    share: float | None


class OneProcess(Of, rename=on_the_wire):
    """A process; new: not there before, gone: not there at the end; first, last: when it was seen."""

    pid: int
    start_ticks: int | None
    user: str
    cmdline: str
    new: bool
    gone: bool
    first: datetime
    last: datetime


class Processes(Of, rename=on_the_wire):
    """The processes of one name, count of them in the stretch; those that went up most come first, 100 at the most."""

    name: str
    count: int
    new: int
    gone: int
    processes: list[OneProcess]


class Happened(Struct, rename=on_the_wire):
    """A command or an event that fell into the stretch; command: the one that did it, where one of ours did."""

    at: datetime
    kind: str
    target: str
    what: str
    state: str
    command: str | None


class Explanation(Struct, rename=on_the_wire):
    """Which processes account for a rise: `from` to `to` against as long a time before.

    server: its own reading in the processes' unit; explained: the percentage of its rise that processes account for.
    """

    metric: str
    unit: str
    start: datetime = field(name="from")
    end: datetime = field(name="to")
    sentence: str
    notes: list[str]
    server: Two
    rose: bool
    explained: float | None
    samples: Two
    peak: datetime | None
    groups: list[Processes]
    left_out: int
    happened: list[Happened]


AT, LATER = "2026-01-31T12:00:00Z", "2026-01-31T12:10:00Z"
EXAMPLE: dict[str, Any] = {
    "metric": "cpu",
    "unit": "percent of one core",
    "from": AT,
    "to": LATER,
    "sentence": "php-fpm accounts for 96% of the rise: 12% → 65% of one core.",
    "notes": ["The server rose from 4.0% to 18%; its processes explain 98% of that."],
    "server": {"before": 16.0, "now": 71.2},
    "rose": True,
    "explained": 98.1,
    "samples": {"before": 60, "now": 60},
    "peak": "2026-01-31T12:04:50.310Z",
    "groups": [
        {
            "before": 12.0, "now": 65.0, "change": 53.0, "share": 96.0, "name": "php-fpm", "count": 1, "new": 0,
            "gone": 0, "processes": [
                {
                    "before": 12.0, "now": 65.0, "change": 53.0, "share": 96.0, "pid": 4711, "startTicks": 18_204_711,
                    "user": "www-data", "cmdline": "php-fpm: pool www", "new": False, "gone": False,
                    "first": "2026-01-31T11:50:02.310Z", "last": "2026-01-31T12:09:52.310Z",
                }
            ],
        }
    ],
    "leftOut": 0,
    "happened": [
        {
            "at": "2026-01-31T12:01:12Z", "kind": "command", "target": "php8.2-fpm.service", "what": "reload",
            "state": "succeeded", "command": "9b2f3c1e-8a4d-4c0e-9a0f-0d6f3f1c2b7a",
        }
    ],
}  # fmt: skip


def shown() -> OpenApiResponse:
    """The answer with its example."""
    example = OpenApiExample("Example", EXAMPLE, response_only=True, status_codes=["200"])
    return OpenApiResponse(api_shapes.schema(Explanation), examples=[example])


class Explain(ViewerApi):
    """Which processes account for a rise."""

    @extend_schema(
        operation_id="explain_stretch",
        summary="Which processes account for the rise of a stretch of time, against as long a time before",
        parameters=[
            OpenApiParameter("metric", str, enum=list(spike.METRICS), description=METRIC),
            OpenApiParameter("from", datetime, description="ISO 8601 with its zone; an hour before `to` when left out"),
            OpenApiParameter("to", datetime, description="at most 24 hours after `from`; now when left out"),
        ],
        responses={
            200: shown(),
            **api_shapes.refusals(s400="A parameter is wrong; it is named.", s404=api.NO_SERVER),
        },
    )
    def get(self, request: Request, agent: str) -> HttpResponse:
        query, now = Query(request), timezone.now()
        end = query.moment("to", now)
        start = query.moment("from", min(end, now) - USUAL)
        metric = query.one_of("metric", spike.CPU, list(spike.METRICS))
        asked = spike_asked.checked(metric, start, end, now, query.wrong)
        query.check()
        server = api.one(request, agent)
        return api_shapes.answer(_answer(server, spike_found.find(server.pk, server_page.newest_of(server.pk), asked)))


def _answer(server: Server, found: Found) -> Explanation:
    explained = found.explained
    return Explanation(
        metric=explained.metric,
        unit="percent of one core" if explained.metric == spike.CPU else "MB",
        start=found.asked.start,
        end=found.asked.end,
        sentence=spike_words.sentence(found),
        notes=spike_words.notes(found),
        server=Two(*explained.host),
        rose=explained.rose,
        explained=explained.explained,
        samples=Two(explained.before.samples, explained.now.samples),
        peak=found.peak,
        groups=[_group(explained, group) for group in explained.groups[: spike_page.MOST]],
        left_out=max(0, len(explained.groups) - spike_page.MOST),
        happened=[
            Happened(one.at, one.kind, one.target, one.what, one.state, one.ref or None)
            for one in spike_page.fell_into(server, found.asked)
        ],
    )


def _group(explained: Explained, group: Group) -> Processes:
    parts = [_process(explained, part) for part in group.parts[: spike_page.MOST_OF_ONE]]
    return Processes(
        *_means(explained, group), group.name, spike_words.count(explained, group), group.new, group.gone, parts
    )


def _process(explained: Explained, part: Part) -> OneProcess:
    return OneProcess(
        *_means(explained, part), part.key.pid, part.key.start_ticks, part.what.user, part.what.cmdline, part.new,
        part.gone, part.first, part.last,
    )  # fmt: skip


def _means(explained: Explained, one: Group | Part) -> tuple[float | None, float | None, float | None, float | None]:
    return one.before, one.now, one.change, explained.share(one.change)
