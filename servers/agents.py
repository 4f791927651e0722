"""Which server calls: the token is the identity; no id in a path or body is trusted for it."""

from __future__ import annotations

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from pmonitor import client, secrets
from servers import networks, one
from servers.models import Server

SCHEME = 'X-Agent-Token realm="Process Monitor"'


class BadToken(Exception):
    """No server has this token: 401."""


class Forbidden(Exception):
    """The token's server may not do this, or not from there: 403."""


class Agent:
    """The caller of an agent's request, in the place of a user; it has no role."""

    is_authenticated = True
    is_active = False

    def __init__(self, server: Server) -> None:
        self.server = server

    def __str__(self) -> str:
        return self.server.agent_id


def server_for(token: str, agent_id: str, address: str) -> Server:
    """The token's server, when it is the one the path names and calls from an allowed address (BadToken, Forbidden)."""
    server = one.with_token(token[: secrets.PREFIX_LENGTH])
    if server is None or not secrets.matches(token, server.token_hash):
        raise BadToken("This agent token is not valid.")
    if server.agent_id != agent_id:
        raise Forbidden("This token is another server's.")
    if not networks.allow(server.allowed_networks, address):
        raise Forbidden(f"This server's agent may not call from {address or 'an unknown address'}.")
    return server


class AgentAuthentication(BaseAuthentication):
    """DRF's authentication by X-Agent-Token: request.user is the Agent, request.auth its Server."""

    def authenticate(self, request: Request) -> tuple[Agent, Server]:
        token, agent_id = request.headers.get("X-Agent-Token", ""), request.parser_context["kwargs"]["agent"]
        try:
            server = server_for(token, agent_id, client.address(request._request))
        except BadToken as error:
            raise AuthenticationFailed(str(error)) from error
        except Forbidden as error:
            raise PermissionDenied(str(error)) from error
        return Agent(server), server

    def authenticate_header(self, request: Request) -> str:
        return SCHEME
