"""The agent's log: JSON lines on standard error, plain text on a terminal, and never a secret in either."""

from __future__ import annotations

import json
import logging
import sys
import time

log = logging.getLogger("agent")

_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {k: v for k, v in vars(record).items() if k not in _STANDARD}


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **_extras(record),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {k}={v}" for k, v in _extras(record).items())
        line = f"{time.strftime('%H:%M:%S')} {record.levelname.lower():7} {record.getMessage()}{facts}"
        return line + ("\n" + self.formatException(record.exc_info) if record.exc_info else "")


class _Hiding(logging.Handler):
    """Writes the formatted line with every secret in it replaced."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.secrets: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        for secret in self.secrets:
            line = line.replace(secret, "***")
        try:
            sys.stderr.write(line + "\n")
            sys.stderr.flush()
        except OSError:
            self.handleError(record)


_handlers: list[_Hiding] = []


def start() -> None:
    """Send the agent's log to standard error from here on."""
    handler = _Hiding(_Plain() if sys.stderr.isatty() else _Json())
    _handlers.append(handler)
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


def hide(secret: str) -> None:
    """Never let this text appear in the log."""
    if secret:
        for handler in _handlers:
            handler.secrets.add(secret)
