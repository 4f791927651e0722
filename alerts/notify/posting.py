"""One POST to a receiver on the web: to a checked address, in bounded time, without following redirects."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from alerts.notify import addresses
from alerts.notify.failures import DeliveryError

CONNECT_SEC, TOTAL_SEC = 5.0, 10.0
AGAIN = (408, 425, 429)  # 4xx that are no fault of what was sent
MOST_WAIT_SEC = 6 * 3_600.0  # however long a receiver asks to wait


class Connection(http.client.HTTPConnection):
    """Connects to an address that was looked at; the name stays in Host and in the TLS handshake."""

    def __init__(self, host: str, port: int, secure: bool, allow_internal: bool) -> None:
        super().__init__(host, port, timeout=CONNECT_SEC)
        self.secure, self.allow_internal = secure, allow_internal
        self.default_port = 443 if secure else 80  # which Host leaves out

    def connect(self) -> None:
        self.sock = addresses.connect(self.host, self.port, CONNECT_SEC, self.allow_internal)
        if self.secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)


def post(url: str, body: bytes, headers: dict[str, str], allow_internal: bool = False) -> None:
    """Post the body; returns when the receiver answered with 2xx. Raises DeliveryError."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = Connection(parts.hostname or "", parts.port or (443 if secure else 80), secure, allow_internal)
    sent = {"Content-Type": "application/json", "User-Agent": "Process-Monitor", **headers}
    with told_apart(), ended_after(TOTAL_SEC, lambda: connection.sock):
        try:
            connection.request("POST", target, body, sent)
            answer = connection.getresponse()
        finally:
            connection.close()
    judge(answer.status, answer.headers.get("Retry-After", ""))


def judge(status: int, retry_after: str = "") -> None:
    """Raise DeliveryError unless the HTTP status says that it was taken."""
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryError(f"redirect:{status}", permanent=True)
    permanent = 400 <= status < 500 and status not in AGAIN
    raise DeliveryError(f"status:{status}", permanent=permanent, retry_after=_wait(retry_after))


@contextmanager
def told_apart() -> Iterator[None]:
    """Every way in which a connection fails, as a DeliveryError without the address that the library's error names."""
    try:
        yield
    except ssl.SSLCertVerificationError:
        raise DeliveryError("tls") from None
    except TimeoutError:
        raise DeliveryError("timeout") from None
    except (http.client.InvalidURL, UnicodeError):
        raise DeliveryError("address", permanent=True) from None
    except (OSError, http.client.HTTPException):
        raise DeliveryError("cut") from None


@contextmanager
def ended_after(seconds: float, sock: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Shut the socket down after so many seconds: a timeout of its own is for each byte, which may come one by one."""
    over = threading.Event()

    def end() -> None:
        over.set()
        with suppress(OSError):  # it ended by itself just now
            if found := sock():
                found.shutdown(socket.SHUT_RDWR)

    watch = threading.Timer(seconds, end)
    watch.daemon = True
    watch.start()
    try:
        yield
    except DeliveryError:
        raise
    except Exception:
        if over.is_set():
            raise DeliveryError("timeout") from None
        raise
    finally:
        watch.cancel()


def _wait(said: str) -> float | None:
    """The seconds of a Retry-After, given as such or as a date; None for neither."""
    if said.isascii() and said.isdigit() and len(said) < 10:
        return min(float(said), MOST_WAIT_SEC)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    wait = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return min(max(wait, 0.0), MOST_WAIT_SEC)
