"""The API's paths about commands, under /api/."""

from __future__ import annotations

from django.urls import path

from actions import api, lease_api
from actions.rollouts import api as rollouts
from actions.schedules import api as schedules

app_name = "actions_api"
urlpatterns = [
    path("actions/<str:agent>", api.Ask.as_view(), name="ask"),
    path("actions/queue/<str:agent>", api.Poll.as_view(), name="poll"),  # queue.py stands in front of it
    path("actions/queue/<str:agent>/<str:command>/ack", api.Acknowledge.as_view(), name="ack"),
    path("actions/queue/<str:agent>/<str:command>/result", api.Finish.as_view(), name="result"),
    path("actions/queue/<str:agent>/reads/<str:read>", api.AnswerRead.as_view(), name="answer"),
    path("leases", lease_api.Leases.as_view(), name="leases"),
    path("servers/<str:agent>/events", api.ServerEvents.as_view(), name="events"),
    path("servers/<str:agent>/services/<str:name>/events", api.ServiceEvents.as_view(), name="service-events"),
    path("commands", api.Commands.as_view(), name="commands"),
    path("commands/<str:command>", api.OneCommand.as_view(), name="command"),
    path("commands/<str:command>/cancel", api.Cancel.as_view(), name="cancel"),
    path("rollouts", rollouts.Rollouts.as_view(), name="rollouts"),
    path("rollouts/<int:number>", rollouts.OneRollout.as_view(), name="rollout"),
    path("rollouts/<int:number>/<str:way>", rollouts.Way.as_view(), name="rollout-way"),
    path("schedules", schedules.Schedules.as_view(), name="schedules"),
    path("schedules/<str:schedule>", schedules.OneSchedule.as_view(), name="schedule"),
]
