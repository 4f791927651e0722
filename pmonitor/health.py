"""What machines ask the hub about itself: does it live, can it serve, and how much does it do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from rest_framework.exceptions import AuthenticationFailed

from pmonitor import access, client, logs, problems, worker
from pmonitor.access import public
from pmonitor.models import StepRun
from pmonitor.tokens import BearerAuthentication

log = logs.get(__name__)
ANSWER_WITHIN_SEC = 2.0
LATE_BY_SEC = 10.0  # on top of three periods: a step may wait for a slow one before it


@public(reason="asked by the container's health check and by balancers")
@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers; nothing else is asked."""
    return HttpResponse("ok", content_type="text/plain")


@public(reason="asked by balancers; says which part is not well, and nothing of what is in it")
@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when every part this process needs is well, else 503 with what is wrong by part."""
    wrong: dict[str, str] = {}
    for name, check in PARTS.items():
        if name == "worker" and "database" in wrong:
            continue  # it is asked of the database, and would wait as long again
        if what := _problem(name, check):
            wrong[name] = what
    return JsonResponse({"ready": not wrong, "wrong": wrong}, status=503 if wrong else 200)


@public(reason="for scrapers from METRICS_ALLOW, and for anybody else who shows a viewer's token or session")
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format."""
    if not (_is_scraper(request) or access.has_role(_user_of(request), access.VIEWER)):
        said = problems.body("Metrics are for the networks of METRICS_ALLOW, or with a viewer's API token.")
        return JsonResponse(said, status=401, headers={"WWW-Authenticate": BearerAuthentication.challenge})
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def database() -> None:
    """Raises unless the database answers."""
    with connection.cursor() as cursor:
        cursor.execute("select 1")


def channel_layer() -> None:
    """Raises unless a message sent through the channel layer comes back."""
    async_to_sync(_round_trip)()


def late_steps() -> str:
    """The worker steps that did not run for three of their periods, as one text; "" when there is none."""
    return ", ".join(_late())


def _late() -> Iterator[str]:
    ran = dict(StepRun.objects.values_list("name", "ran_at"))
    now = timezone.now()
    for step in worker.STEPS:
        name = StepRun.name_of(step.run)
        if name not in ran:
            yield f"{name} never ran"
        elif (ago := (now - ran[name]).total_seconds()) > 3 * step.seconds + LATE_BY_SEC:
            yield f"{name} ran {ago:.0f} s ago"


PARTS: dict[str, Callable[[], str | None]] = {
    "database": database,
    "channel layer": channel_layer,
    "worker": late_steps,
}


def _problem(name: str, check: Callable[[], str | None]) -> str:
    try:
        return check() or ""
    except Exception as error:
        log.exception("health.not_ready", part=name)
        return f"does not answer ({type(error).__name__})"


async def _round_trip() -> None:
    layer: Any = get_channel_layer()
    async with asyncio.timeout(ANSWER_WITHIN_SEC):
        channel = await layer.new_channel()
        await layer.send(channel, {"type": "ready"})
        await layer.receive(channel)
    with suppress(TimeoutError):  # a cancelled receive is how a layer forgets a channel
        async with asyncio.timeout(0):
            await layer.receive(channel)


def _is_scraper(request: HttpRequest) -> bool:
    found = client.parse(client.address(request))
    return found is not None and any(found in network for network in settings.METRICS_ALLOW)


def _user_of(request: HttpRequest) -> Any:
    try:
        by_token = BearerAuthentication().authenticate(request)
    except AuthenticationFailed:
        return AnonymousUser()
    return by_token[0] if by_token else request.user
