"""What readers see of a unit's log lines in a capsule: operators all of them, escaped, and viewers none."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from actions import reads
from actions.models import Read
from alerts.incidents import capsule, capsule_page, live
from alerts.models import Incident
from pmonitor.live import View
from servers import service_history
from servers.models import Server
from servers.service_events import Event
from tests.actions.making import NGINX, ago, command, newest, service
from tests.alerts.acting_rules import opened, rule
from tests.alerts.capsules import page, shown
from tests.servers.travelling import family, tell

pytestmark = pytest.mark.django_db
HOSTILE = '<script>alert("x")</script>\u202e\x1b[31m'


def answered(incident: Incident, *lines: str) -> None:
    """The agent's answer came."""
    capsule.fill()
    told = {
        "lines": [{"text": text, "t": None, "level": 3, "by": HOSTILE} for text in lines],
        "cut": False,
        "source": "",
    }
    Read.objects.filter(verdict="").update(verdict=reads.ANSWERED, answer=told)
    capsule.fill()


def with_log(server: Server, *lines: str) -> Incident:
    """A failed service whose log was read."""
    if not hasattr(server, "newest"):
        newest(server, facts={"features": ["reads"]})
    service(server, active_state="failed", result="exit-code", last_exit="7", n_restarts=5, main_pid=None)
    incident = opened(rule(), server)
    answered(incident, *lines)
    return incident


def test_units_evidence_and_log_for_an_operator(web1: Server, operator: User) -> None:
    html = page(with_log(web1, "bind() failed", "exiting"), operator)
    for said in ("exit-code", "status 7", "<dt>Restarts</dt><dd>5</dd>", "err: bind() failed", "exiting"):
        assert said in html
    assert f'href="/servers/srv-web-01/services/{NGINX}/"' in html


def test_a_viewer_gets_no_log_line_and_is_told_who_may(web1: Server, viewer: User, operator: User) -> None:
    incident = with_log(web1, "password of the database")
    html = page(incident, viewer)
    assert "password of the database" not in html
    assert "Operators may read this log." in html
    assert "password of the database" not in repr(capsule_page.context(incident, viewer))
    assert "password of the database" not in repr(capsule_page.told(incident, viewer))
    told = capsule_page.told(incident, operator)
    assert told is not None
    assert [line["text"] for line in told["log"]["lines"]] == ["password of the database"]
    assert "read" not in told["log"]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("silent", "This server is silent, so it was not asked."),
        ("waiting", "No report has come from this server yet, so it was not asked."),
    ],
)
def test_why_there_is_no_log(web1: Server, operator: User, state: str, said: str) -> None:
    service(web1)
    if state == "silent":
        newest(web1, facts={"features": ["reads"]})
        Server.objects.filter(pk=web1.pk).update(state="silent")
    assert said in shown(opened(rule(), web1), operator)


def test_while_the_agent_is_asked_it_says_so(web1: Server, operator: User) -> None:
    newest(web1, facts={"features": ["reads"]})
    service(web1)
    incident = opened(rule(), web1)
    assert "Asking the server…" in shown(incident, operator)
    assert capsule_page.version(incident) == "there-asking"


def test_whatever_agents_send_is_escaped(web1: Server, operator: User) -> None:
    now = timezone.now()
    procs = family(90.0)
    procs[2].name = procs[2].cmdline = procs[2].user = HOSTILE
    tell(web1, now - timedelta(minutes=6), procs[:2])
    tell(web1, now - timedelta(minutes=1), procs)
    service(web1, HOSTILE[:40], result=HOSTILE[:40], last_exit=HOSTILE[:40])
    command(web1, "failed", target=HOSTILE, reason=HOSTILE, asked_by_name=HOSTILE)
    service_history.record(web1.pk, [Event(HOSTILE[:40], ago(5), "failed", {"result": HOSTILE})])
    web1.newest.facts = {"features": ["reads"]}
    web1.newest.save()
    incident = opened(rule(), web1, HOSTILE[:40])
    answered(incident, HOSTILE, "\r\nfine\u2028")
    html = page(incident, operator)
    assert "alert(" in html
    for forbidden in ("<script", "\u202e", "\x1b", "\u2028"):
        assert forbidden not in html


def test_the_incidents_page_has_it_and_brings_it_up_to_date(web1: Server, operator: User, as_operator: Client) -> None:
    newest(web1, facts={"features": ["reads"]})
    service(web1, active_state="failed")
    incident = opened(rule(), web1)
    address = f"/alerts/{incident.uuid}/"
    assert "Being gathered…" in as_operator.get(address).content.decode()
    before = live.incident(str(incident.pk), View("en", "operator"))[0]
    answered(incident, "bind() failed")
    assert "bind() failed" in as_operator.get(address).content.decode()
    version, parts = live.incident(str(incident.pk), View("en", "operator"))
    assert version != before
    assert "bind() failed" in parts["capsule"]
    assert "bind() failed" not in live.incident(str(incident.pk), View("en", "viewer"))[1]["capsule"]
