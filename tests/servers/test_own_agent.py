"""The reports of the agent that comes with the hub, of this very machine."""

from __future__ import annotations

import threading
import time
import uuid
from pathlib import Path

import pytest
from django.test import Client

from agent import config, stamp
from agent.hubclock import HubClock
from agent.leasebook import LeaseBook, machine_clock
from agent.leases import Leases
from agent.sampler import Sampler
from agent.servicetable import ServiceTable
from servers import proctable
from servers.models import Newest, Server
from tests.servers.reports import post

pytestmark = pytest.mark.django_db


def test_our_own_agents_report_is_taken_whole(agent: Client, web1: Server, tmp_path: Path) -> None:
    environ = {"API": "http://127.0.0.1:1", "AGENT_ID": web1.agent_id, "AGENT_TOKEN": "x", "STATE_DIR": str(tmp_path)}
    settings = config.load(environ)
    table = ServiceTable([], settings.allow)
    book = LeaseBook(tmp_path / "leases.json", machine_clock())
    book.put(str(uuid.uuid4()), target="nginx.service", state="held", attempts=0, **book.ends_in(60))
    leases = Leases(book, table, settings.allow, HubClock(), 0, threading.Event())
    sampler = Sampler(settings, table, leases)
    for _ in range(2):
        body = sampler.sample(stamp.now(HubClock())).whole() + sampler.news().text
        answer = post(agent, body + f',"sentAt":{time.time():.3f}}}'.encode())
        assert (answer.status_code, answer.json().get("fields")) == (202, None)
    row = Newest.objects.get()
    assert row.seq == 2
    assert row.facts.keys() >= {"hostname", "os", "kernel", "cpuCount", "bootId", "bootTime", "ticksPerSec", "version"}
    procs = {proc.pid: proc for proc in proctable.unpack(row.procs)}
    assert procs[1].start_ticks is not None
    assert row.procs_total >= len(procs) > 3
    assert row.readings["memTotalMB"] > 0
