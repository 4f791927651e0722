"""A rule that acts on a real server, and what became of its incident, as the hub's shell tells it."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from tests.e2e.hub import Hub

RULE = """
    from django.contrib.auth.models import User
    from django.utils import timezone
    from alerts.models import Rule
    Rule.objects.create(
        name="Sample down", kind="service_failed", params={"service": UNIT}, scope=SERVER, severity="critical",
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


def restart_when_failed(hub: Hub, agent_id: str, unit: str) -> None:
    """Make the rule, for this server alone."""
    _run(hub, RULE.replace("UNIT", repr(unit)).replace("SERVER", repr(agent_id)))


def told(hub: Hub) -> dict[str, Any]:
    """The rule's newest incident with its timeline and, once all of it is there, its capsule."""
    found: dict[str, Any] | None = json.loads(_run(hub, TOLD))
    return found or {"state": "", "capsule": None}


def _run(hub: Hub, script: str) -> str:
    return hub.manage("shell", "-v", "0", "-c", textwrap.dedent(script))
