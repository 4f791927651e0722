"""Which server calls: the token is the identity; no id in a path or body is trusted for it."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from pmonitor import client, secrets
from pmonitor.problems import Problem
from servers import networks, one
from servers.models import Server

SCHEME = 'X-Agent-Token realm="Process Monitor"'


class Agent:
    """The caller of an agent's request, in the place of a user; it has no role."""

    is_authenticated = True
    is_active = False

    def __init__(self, server: Server) -> None:
        self.server = server

    def __str__(self) -> str:
        return self.server.agent_id


def server_for(token: str, agent_id: str, address: str) -> Server:
    """The token's server, when it is the one the path names and calls from an allowed address; raises Problem."""
    server = one.with_token(prefix_of(token))
    return checked(server, token, agent_id, address)


def prefix_of(token: str) -> str:
    """What a token is looked up by."""
    return token[: secrets.PREFIX_LENGTH].replace("\0", "")


def checked(server: Server | None, token: str, agent_id: str, address: str) -> Server:
    """The server that was found by the token's prefix; raises Problem 401 or 403 unless its agent may call so."""
    if server is None or not secrets.matches(token, server.token_hash):
        raise refused("This agent token is not valid.")
    if server.agent_id != agent_id:
        raise Problem(403, "This token is another server's.")
    if not networks.allow(server.allowed_networks, address):
        raise Problem(403, f"This server's agent may not call from {address or 'an unknown address'}.")
    return server


def refused(sentence: str) -> Problem:
    """A 401 that says how an agent shows who it is."""
    return Problem(401, sentence, headers={"WWW-Authenticate": SCHEME})


class AgentAuthentication(BaseAuthentication):
    """DRF's authentication by X-Agent-Token: request.user is the Agent, request.auth its Server."""

    def authenticate(self, request: Request) -> tuple[Agent, Server]:
        token, agent_id = request.headers.get("X-Agent-Token", ""), request.parser_context["kwargs"]["agent"]
        server = server_for(token, agent_id, client.address(request._request))
        return Agent(server), server

    def authenticate_header(self, request: Request) -> str:
        return SCHEME
