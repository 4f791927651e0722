"""A rule acts by itself, by the whole path: a service dies on a real server, its rule restarts it, its incident closes."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.hub import Hub
from tests.hosts import units
from tests.hosts.agent_install import install_agent
from tests.hosts.host import Host
from tests.hosts.hub_api import REPORTED_WITHIN, Api
from tests.hosts.lab import Lab
from tests.hosts.waiting import eventually

RULE = f"""
    from django.contrib.auth.models import User
    from django.utils import timezone
    from alerts.models import Rule
    Rule.objects.create(
        name="Sample down", kind="service_failed", params={{"service": "{units.OK}"}}, severity="critical",
        remedy_cmd="restart", made_by=User.objects.get(username="admin"), made_by_name="admin", made_at=timezone.now(),
    )
"""
TOLD = """
    import json
    from alerts.models import Incident
    from alerts.remedy import words
    one = Incident.objects.filter(rule_name="Sample down").first()
    print(json.dumps(one and {
        "state": one.state, "capsule": one.capsule if one.capsule_due is None else None,
        "lines": list(one.entries.values_list("kind", flat=True)),
        "said": [words.sentence(line) for line in one.entries.filter(kind__in=["acted", "act ended"])],
        "by": list(one.remedies.exclude(command=None).values_list("command__asked_by_name", flat=True)),
    }))
"""


@pytest.fixture(scope="module")
def server(lab: Lab, hub: Hub) -> Iterator[Host]:
    (host,) = lab.boot("srv-remedy")
    units.install_units(host)
    host.systemctl("start", units.OK)
    install_agent(host, hub.url, hub.enrolment_key, "restart:pm-*.service")
    yield host
    lab.discard(host)


@pytest.fixture
def api(hub: Hub, server: Host) -> Api:
    api = Api(hub, "srv-remedy")
    eventually(lambda: api.service(units.OK), bool, REPORTED_WITHIN)
    return api


def told(hub: Hub) -> dict[str, Any]:
    """The rule's newest incident with its timeline and, once all of it is there, its capsule."""
    found: dict[str, Any] | None = json.loads(run(hub, TOLD))
    return found or {"state": "", "capsule": None}


def run(hub: Hub, script: str) -> str:
    """What a script prints that runs in the hub's shell."""
    return hub.manage("shell", "-v", "0", "-c", textwrap.dedent(script))


def test_a_rule_restarts_what_died_and_its_incident_closes(server: Host, hub: Hub, api: Api) -> None:
    run(hub, RULE)
    before = server.unit_state(units.OK)["MainPID"]
    server.run("kill", "-KILL", before)
    closed = eventually(lambda: told(hub), lambda one: one["state"] == "closed" and one["capsule"], 60)
    after = server.unit_state(units.OK)
    assert (after["ActiveState"], after["MainPID"] != before) == ("active", True)
    assert closed["said"] == [f"Restart {units.OK}.", f"Restart {units.OK}: succeeded, verified."]
    assert "gave up" not in closed["lines"]
    unit = closed["capsule"]["unit"]
    assert unit["events"][0]["kind"] == "crashed"
    assert unit["events"][0]["facts"]["lastExit"] == "SIGKILL"
    log = closed["capsule"]["log"]
    assert log["state"] == "answered"
    assert any("status=9/KILL" in line["text"] for line in log["lines"])
    assert closed["by"] == ["rule Sample down"]
