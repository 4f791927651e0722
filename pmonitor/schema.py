"""The API described to programs and people: OpenAPI 3, and Swagger UI served from here under the strict policy."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.views import SpectacularAPIView

from pmonitor.access import VIEWER, RolePermission, viewer_required


class BearerScheme(OpenApiAuthenticationExtension):
    """How a user's token is sent."""

    target_class = "pmonitor.tokens.BearerAuthentication"
    name = "userToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "`manage.py api_token USER` prints one."}


class AgentScheme(OpenApiAuthenticationExtension):
    """How an agent's token is sent."""

    target_class = "servers.agents.AgentAuthentication"
    name = "agentToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        said = "What /api/agents/register answered."
        return {"type": "apiKey", "in": "header", "name": "X-Agent-Token", "description": said}


class Schema(SpectacularAPIView):
    """OpenAPI 3, as YAML or JSON by what the caller accepts."""

    access = VIEWER
    permission_classes = [RolePermission]


schema = Schema.as_view()


@viewer_required
@require_safe
@ensure_csrf_cookie
def docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI; what is tried out there runs with the person's own session."""
    return render(request, "api_docs.html")
