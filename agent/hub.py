"""The agent's only way to the hub: one HTTP session with timeouts, the token, gzip bodies and bounded answers."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, Timeout
from urllib3.exceptions import HTTPError

from agent import __version__
from agent.config import Config
from agent.hubclock import HubClock

CONNECT_SEC = 5.0
READ_SEC = 20.0
REPORT_READ_SEC = 8.0  # shorter than the usual interval: a hub that does not answer costs no sample
_MAX_ANSWER = 1 << 20
_GZIP_FROM = 1024  # smaller bodies do not gain from packing


class Unreachable(Exception):
    """The hub gave no usable answer: away, timed out, or not a hub at all."""


class Answer(NamedTuple):
    """What the hub said: the status, the JSON object in its body, and seconds to wait where it asks for that."""

    status: int
    body: dict[str, Any]
    retry_after: float | None = None

    def why(self) -> str:
        """The answer in a few words for the log: wrong fields are named."""
        return f"{self.status} {json.dumps(self.body)[:1000]}" if self.body else str(self.status)


class Hub:
    """Calls to one hub; safe to use from the agent's threads at the same time."""

    def __init__(self, config: Config, clock: HubClock) -> None:
        self.clock = clock
        self.agent_id = config.agent_id
        # requests knows how to get there. The calls do without it: half of one is cookies, hooks and copies. And
        # nothing of this machine's surroundings (netrc, curl bundles) may change how the token travels; proxies may.
        self._adapter = HTTPAdapter(pool_connections=1, pool_maxsize=3)
        self._proxies = requests.utils.get_environ_proxies(config.api)
        self._verify = config.ca_file or True
        self._address = requests.Request("GET", config.api + "/api").prepare()
        self._headers = {"User-Agent": f"pmonitor-agent/{__version__}", "Accept-Encoding": "identity"}
        self._way: tuple[HTTPConnectionPool, str] | None = None

    def use_token(self, token: str) -> None:
        """Send this token with every call from now on."""
        self._headers["X-Agent-Token"] = token

    def register(self, body: dict[str, Any]) -> Answer:
        """Ask for a token with the enrolment key."""
        return self._call("POST", "/agents/register", json.dumps(body).encode())

    def report(self, body: bytes) -> Answer:
        """Send a report, already encoded as JSON."""
        return self._call("POST", f"/agents/{quote(self.agent_id)}/metrics", body, REPORT_READ_SEC)

    def commands(self, wait: float) -> Answer:
        """Wait up to this many seconds for commands and reads."""
        path = f"/actions/queue/{quote(self.agent_id)}?wait={wait:g}"
        return self._call("GET", path, None, read_sec=wait + READ_SEC)

    def ack(self, command: str, body: dict[str, Any]) -> Answer:
        """Say that a command is about to run."""
        return self._call("POST", self._command_path(command) + "/ack", json.dumps(body).encode())

    def result(self, command: str, body: dict[str, Any]) -> Answer:
        """Hand in what came of a command."""
        return self._call("POST", self._command_path(command) + "/result", json.dumps(body).encode())

    def answer_read(self, read: str, body: bytes) -> Answer:
        """Answer a question of the hub, already encoded as JSON."""
        return self._call("POST", f"/actions/queue/{quote(self.agent_id)}/reads/{quote(read, safe='')}", body)

    def _command_path(self, command: str) -> str:
        return f"/actions/queue/{quote(self.agent_id)}/{quote(command, safe='')}"

    def _call(self, method: str, path: str, body: bytes | None, read_sec: float = READ_SEC) -> Answer:
        headers = self._headers.copy()
        if body is not None:
            headers["Content-Type"] = "application/json"
            if len(body) > _GZIP_FROM:
                headers["Content-Encoding"] = "gzip"
                body = _packed(body)
        try:
            pool, base = self._way = self._way or self._found()
            response = pool.urlopen(
                *(method, base + path, body, headers),
                timeout=Timeout(connect=CONNECT_SEC, read=read_sec),
                retries=False,
                redirect=False,  # the token goes to the address the owner gave and nowhere else
                assert_same_host=False,  # a proxy's is another
                preload_content=False,
                decode_content=False,
            )
            try:
                return self._answer(response.status, response.headers, response.read(_MAX_ANSWER + 1))
            finally:
                response.close()
        except (requests.RequestException, HTTPError, OSError) as error:
            raise Unreachable(_plain(error)) from error

    def _found(self) -> tuple[HTTPConnectionPool, str]:
        """The connections to the hub, through a proxy where there is one, and what is before a path on them."""
        adapter: Any = self._adapter
        url = str(self._address.url)
        if hasattr(adapter, "get_connection_with_tls_context"):
            pool = adapter.get_connection_with_tls_context(self._address, self._verify, self._proxies)
        else:  # requests before 2.32
            pool = adapter.get_connection(url, self._proxies)
        adapter.cert_verify(pool, url, self._verify, None)
        return pool, adapter.request_url(self._address, self._proxies)

    def _answer(self, status: int, headers: Mapping[str, str], raw: bytes) -> Answer:
        if len(raw) > _MAX_ANSWER:
            raise Unreachable("the answer is longer than 1 MB")
        if 300 <= status < 400:
            raise Unreachable(f"redirected to {headers.get('Location')}: set API to that address")
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            body = {"detail": raw[:200].decode("utf-8", "replace")}
        body = body if isinstance(body, dict) else {"detail": body}
        self.clock.learn(body.get("serverTime"), headers.get("Date"))
        return Answer(status, body, _seconds(headers.get("Retry-After")))


def _packed(body: bytes) -> bytes:
    """With gzip. The window is no larger than what is to be packed: it is 64 KB otherwise, cleared each time."""
    bits = min(15, max(9, len(body).bit_length()))
    packer = zlib.compressobj(1, zlib.DEFLATED, 16 + bits, bits - 7)  # 16: with gzip's head and end
    return packer.compress(body) + packer.flush()


def _seconds(text: str | None) -> float | None:
    return min(float(text), 3600.0) if text and text.isdigit() else None


def _plain(error: BaseException) -> str:
    """The innermost reason: requests wraps a refused connection in three layers."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {error}"[:300]
