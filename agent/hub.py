"""The agent's only way to the hub: one HTTP session with timeouts, the token, gzip bodies and bounded answers."""

from __future__ import annotations

import gzip
import json
from typing import Any, NamedTuple
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
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
        # Without a session of requests: a third of a call is its cookies, hooks and redirects. And nothing of
        # this machine's surroundings (netrc, curl bundles) may change how the token travels; proxies may.
        self._connections = HTTPAdapter(pool_connections=1, pool_maxsize=3)
        self._proxies = requests.utils.get_environ_proxies(config.api)
        self._verify = config.ca_file or True
        headers = {"User-Agent": f"pmonitor-agent/{__version__}", "Accept-Encoding": "identity"}
        self._prepared = requests.Request("GET", config.api + "/api", headers).prepare()  # once; each call is a copy

    def use_token(self, token: str) -> None:
        """Send this token with every call from now on."""
        self._prepared.headers["X-Agent-Token"] = token

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
        request = self._prepared.copy()
        request.method, request.url = method, f"{request.url}{path}"
        if body is not None:
            request.headers["Content-Type"] = "application/json"
            if len(body) > _GZIP_FROM:
                request.headers["Content-Encoding"] = "gzip"
                body = gzip.compress(body, 1)
            request.headers["Content-Length"] = str(len(body))
            request.body = body
        timeout = (CONNECT_SEC, read_sec)
        try:
            # An adapter follows no redirects: the token goes to the address the owner gave and nowhere else.
            with self._connections.send(request, True, timeout, self._verify, proxies=self._proxies) as response:
                return self._answer(response)
        except (requests.RequestException, HTTPError, OSError) as error:
            raise Unreachable(_plain(error)) from error

    def _answer(self, response: requests.Response) -> Answer:
        raw = response.raw.read(_MAX_ANSWER + 1)
        if len(raw) > _MAX_ANSWER:
            raise Unreachable("the answer is longer than 1 MB")
        if 300 <= response.status_code < 400:
            raise Unreachable(f"redirected to {response.headers.get('Location')}: set API to that address")
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            body = {"detail": raw[:200].decode("utf-8", "replace")}
        body = body if isinstance(body, dict) else {"detail": body}
        self.clock.learn(body.get("serverTime"), response.headers.get("Date"))
        return Answer(response.status_code, body, _seconds(response.headers.get("Retry-After")))


def _seconds(text: str | None) -> float | None:
    return min(float(text), 3600.0) if text and text.isdigit() else None


def _plain(error: BaseException) -> str:
    """The innermost reason: requests wraps a refused connection in three layers."""
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {error}"[:300]
