"""Logs: JSON lines for machines, plain lines on a terminal; ids of request, server and command on each.

`log = logs.get(__name__)`, then `log.info("event", key=value)`. `logs.bind(server="srv-1")` adds to every later
line of the same request or task.
"""

from __future__ import annotations

import logging
import logging.config
import sys
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars as bind
from structlog.contextvars import clear_contextvars as clear

__all__ = ["bind", "clear", "configure", "get"]

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]

SECRETIVE = ("apprise", "urllib3")  # they log addresses, which hold contacts' secrets


def configure(form: str, level: str) -> None:
    """Route structlog and the standard library through one handler on stderr; form is json, text or auto."""
    plain = form == "text" or (form == "auto" and sys.stderr.isatty())
    renderer = structlog.dev.ConsoleRenderer() if plain else structlog.processors.JSONRenderer()
    final: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    if not plain:
        final.insert(1, structlog.processors.format_exc_info)
    foreign = [*SHARED, _without_trace]
    formatter = {"()": structlog.stdlib.ProcessorFormatter, "foreign_pre_chain": foreign, "processors": final}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"lines": formatter},
            "handlers": {
                "stderr": {"class": "logging.StreamHandler", "formatter": "lines"},
                "nowhere": {"class": "logging.NullHandler"},
            },
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                **{name: {"level": "WARNING"} for name in ("uvicorn", "asyncio", "axes", "django.request")},
                **{name: {"handlers": ["nowhere"], "propagate": False} for name in SECRETIVE},
            },
        }
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def get(name: str) -> Any:
    """A logger that takes an event and key=value facts."""
    return structlog.get_logger(name)


def _without_trace(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Of a request that is refused Django logs the traceback, too, which says nothing of the hub: leave it out."""
    if getattr(event["_record"], "status_code", 500) < 500:
        event.pop("exc_info", None)
    return event
