"""How often somebody may ask: fixed windows in the shared cache, by settings.RATE_LIMITS."""

from __future__ import annotations

import math
import time
from importlib import import_module

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import gettext as _

from pmonitor import logs
from pmonitor.problems import Problem

log = logs.get(__name__)


def hit(name: str, key: object) -> None:
    """Count one request of this kind by this client; raises Problem 429 with Retry-After (seconds) past the limit."""
    times, seconds = settings.RATE_LIMITS[name]
    window, into = divmod(time.time(), seconds)
    if _count(f"limit:{name}:{key}:{int(window)}", seconds) > times:
        wait = math.ceil(seconds - into)
        log.warning("limits.refused", limit=name, key=str(key))
        sentence = _("Too many requests; try again in %(wait)s s.") % {"wait": wait}
        raise Problem(429, sentence, headers={"Retry-After": str(wait)})


def _count(key: str, seconds: int) -> int:
    try:
        cache.add(key, 0, timeout=seconds)
        return int(cache.incr(key))
    except _errors() as error:
        log.warning("limits.not_counted", error=str(error))
        return 0  # without the cache the hub works on, without limits


def _errors() -> tuple[type[Exception], ...]:
    """What counting raises; looked up when something was raised, as Redis's module takes an eighth of a start."""
    window_ended: type[Exception] = ValueError  # between the two lines
    return import_module("redis.exceptions").RedisError, window_ended
