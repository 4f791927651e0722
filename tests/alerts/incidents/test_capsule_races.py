"""Two workers at once, on a real database: an agent is asked for its log once."""

from __future__ import annotations

import pytest

from actions.models import AuditEntry, Read
from alerts.incidents import capsule
from alerts.models import Incident
from servers.models import Server
from tests.actions.making import newest, service
from tests.actions.test_races import together
from tests.alerts.acting_rules import opened, rule

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_workers_ask_once(web1: Server, web2: Server, db1: Server) -> None:
    made = rule()
    servers = (web1, web2, db1)
    for server in servers:
        newest(server, facts={"features": ["reads"]})
        service(server)
        opened(made, server)
    together(*[capsule.fill] * 3)
    assert sorted(Read.objects.values_list("server", flat=True)) == sorted(server.pk for server in servers)
    assert AuditEntry.objects.filter(event="read.logs").count() == 3
    Read.objects.update(verdict="answered", answer={"lines": [], "cut": False, "source": ""})
    together(*[capsule.fill] * 3)
    assert Incident.objects.filter(capsule_due=None, capsule__log__state="answered").count() == 3
    assert Read.objects.count() == 3
