"""The API's paths about servers, under /api/."""

from __future__ import annotations

from django.urls import path

from servers import agent_api, api, process_search_api, spike_api

app_name = "servers_api"
urlpatterns = [
    path("agents/register", agent_api.RegisterAgent.as_view(), name="register"),
    path("agents/<str:agent>/metrics", agent_api.ReportIn.as_view(), name="report"),
    path("servers", api.Servers.as_view(), name="servers"),
    path("servers/<str:agent>", api.OneServer.as_view(), name="server"),
    path("servers/<str:agent>/processes", api.Processes.as_view(), name="server-processes"),
    path("servers/<str:agent>/history", api.History.as_view(), name="history"),
    path("servers/<str:agent>/states", api.States.as_view(), name="states"),
    path("servers/<str:agent>/explain", spike_api.Explain.as_view(), name="explain"),
    path("processes", process_search_api.AllProcesses.as_view(), name="processes"),
    path("processes/seen", process_search_api.SeenProcesses.as_view(), name="processes-seen"),
]
