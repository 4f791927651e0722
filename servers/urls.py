"""The pages about servers."""

from __future__ import annotations

from django.urls import path

from servers import download, fleet_views, process_search_views, server_views, spike_views

app_name = "servers"
urlpatterns = [
    path("", fleet_views.fleet_page, name="fleet"),
    path("search/", fleet_views.search_page, name="search"),
    path("processes/", process_search_views.processes_page, name="processes"),
    path("processes/part/", process_search_views.processes_part, name="processes-part"),
    path("add/", fleet_views.add_server, name="add"),
    path("servers/<str:agent_id>/", server_views.detail, name="detail"),
    path("servers/<str:agent_id>/readings/", server_views.readings, name="readings"),
    path("servers/<str:agent_id>/readings.csv", server_views.readings_csv, name="readings-csv"),
    path("servers/<str:agent_id>/readings.svg", server_views.readings_svg, name="readings-svg"),
    path("servers/<str:agent_id>/then/", server_views.then, name="then"),
    path("servers/<str:agent_id>/explain/", spike_views.explain, name="explain"),
    path("servers/<str:agent_id>/processes/<int:pid>-<int:ticks>/", server_views.process, name="process"),
    path("agent/install.sh", download.install_script, name="install-script"),
    path("agent/pmonitor-agent.pyz", download.agent_file, name="agent-file"),
]
