"""What is found around an incident's opening is kept with it: out of real reports, once, and within bounds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from actions import reads
from actions.models import AuditEntry, Read
from alerts.incidents import capsule, capsule_found, capsule_log
from alerts.models import Incident, Rule
from alerts.rules import kinds
from servers.models import Newest, Server, ServerGroup
from tests.actions.making import NGINX, ago, command, newest, service
from tests.alerts.acting_rules import opened, rule
from tests.cast import enrolled
from tests.servers.reports import post, report
from tests.servers.reports import service as listed
from tests.servers.spiking import LENGTH, spike
from tests.servers.travelling import compact, family, tell, this_hour

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def failed(db: None) -> Rule:
    return rule()


def filled(incident: Incident) -> Any:
    """The incident's capsule once the worker has looked."""
    capsule.fill()
    incident.refresh_from_db()
    return incident.capsule


def can_read(server: Server) -> Newest:
    """The server's agent answers questions."""
    return newest(server, facts={"features": ["reads"]})


def answers(agent: Client, *lines: dict[str, Any], **more: Any) -> None:
    """The agent is given the question, and answers."""
    (question,) = agent.get("/api/actions/queue/srv-web-01").json()["reads"]
    body = more or {"answer": {"lines": list(lines), "source": "journal"}}
    path = f"/api/actions/queue/srv-web-01/reads/{question['id']}"
    assert agent.post(path, body, content_type="application/json").status_code == 200


def test_the_processes_then_and_just_before_tell_what_rose(web1: Server) -> None:
    start = timezone.now().replace(microsecond=0) - timedelta(minutes=20)
    spike(web1, start)  # php-fpm from 2 workers to 6 within two minutes
    at = start + timedelta(minutes=5)
    by = rule(kind=kinds.READING)
    incident = opened(by, web1, "", at=at, began=at - timedelta(seconds=10), metric="cpu", limit=30)
    told = filled(incident)["processes"]
    workers = {row["pid"]: row for row in told["rows"] if row["name"] == "php-fpm"}
    assert set(workers) == {31, 32, 40, 41, 42}, "five of each at the most"
    assert (workers[31]["cpuBefore"], workers[31]["cpu"]) == (5.0, 50.0)
    assert (workers[31]["memMBBefore"], workers[31]["memMB"]) == (100.0, 300.0)
    assert "cpuBefore" not in workers[40], "it was not there before"
    assert [row["pid"] for row in told["rows"] if row.get("rose")] == [31, 32, 40, 41, 42]
    assert not any(row.get("gone") for row in told["rows"]), "the cron that went used too little to matter"
    assert told["at"] == (start + timedelta(seconds=110)).isoformat()
    assert told["before"] == (start - timedelta(seconds=10)).isoformat()
    assert incident.capsule_due is None


def test_a_server_that_had_just_come_is_compared_with_what_there_was(web1: Server) -> None:
    start = timezone.now().replace(microsecond=0) - timedelta(minutes=20)
    spike(web1, start)
    first = start - LENGTH
    began = first + timedelta(seconds=45)
    by = rule(kind=kinds.READING)
    told = filled(opened(by, web1, "", at=began + MINUTE, began=began, metric="cpu", limit=30))["processes"]
    assert told["before"] == (first + timedelta(seconds=10)).isoformat(), "of half a minute before"


def test_the_process_the_rule_names_is_among_them_however_small(web1: Server) -> None:
    now = timezone.now()
    crowd = [*family(), *(family(50.0, pid=pid, start_ticks=pid)[2] for pid in range(200, 230))]
    tell(web1, now - 10 * MINUTE, crowd)
    tell(web1, now - MINUTE, crowd)
    by = rule(kind=kinds.PROCESS_CPU)
    one = opened(by, web1, "", at=now, process="nginx", pid=40, startTicks=900, by="name", pattern="ng*")
    named = [row for row in filled(one)["processes"]["rows"] if row.get("named")]
    assert [(row["name"], row["pid"]) for row in named] == [("nginx", 40)]


def test_it_is_read_of_compacted_history_too(web1: Server) -> None:
    hour = this_hour() - timedelta(hours=2)
    tell(web1, hour + MINUTE, family(1.0))
    tell(web1, hour + 10 * MINUTE, family(90.0))
    compact(web1, hour)
    incident = opened(rule(kind=kinds.READING), web1, "", at=hour + 11 * MINUTE, metric="cpu")
    worker = next(row for row in filled(incident)["processes"]["rows"] if row["pid"] == 41)
    assert (worker["cpuBefore"], worker["cpu"], worker["rose"]) == (1.0, 90.0, True)


def test_after_a_boot_no_process_is_the_same(web1: Server) -> None:
    now = timezone.now()
    tell(web1, now - 10 * MINUTE, family(1.0), bootId="1cb6748b-5488-406f-85f0-d21503a58696", services=[listed()])
    tell(web1, now - MINUTE, family(2.0), bootId="2cb6748b-5488-406f-85f0-d21503a58696", services=[listed()])
    found = filled(opened(rule(kind=kinds.REBOOTED), web1, "", at=now))["processes"]
    assert found["booted"]
    assert all("cpuBefore" not in row or "was" in row for row in found["rows"] if not row.get("gone"))


def test_nothing_known_of_that_time_is_said_and_not_made_up(web1: Server) -> None:
    old = timezone.now() - timedelta(days=60)
    found = filled(opened(rule(kind=kinds.READING), web1, "", at=old, metric="cpu"))
    assert (found["processes"], found["unit"], found["log"]) == ({}, None, None)
    assert (found["commands"], found["events"]) == ([], [])


def test_the_evidence_of_a_unit_killed_for_memory(web1: Server, agent: Client, failed: Rule) -> None:
    up = listed(NGINX, mainPid=123)
    killed = listed(NGINX, activeState="failed", subState="failed", result="oom-kill", lastExit="oom-kill")
    assert post(agent, report(services=[up], ts=ago(30).timestamp(), sentAt=ago(30).timestamp())).status_code == 202
    dead = {**killed, "mainPid": None, "nRestarts": 3}
    assert post(agent, report(services=[dead], ts=ago(0).timestamp(), sentAt=ago(0).timestamp())).status_code == 202
    unit = filled(opened(failed, web1))["unit"]
    assert unit["oom"] is True
    assert unit["name"] == NGINX
    assert {"result": "oom-kill", "lastExit": "oom-kill", "nRestarts": 3}.items() <= unit["listed"].items()
    assert [event["kind"] for event in unit["events"]] == ["oom_killed"]
    assert unit["events"][0]["facts"]["pidBefore"] == 123


def test_commands_of_the_hour_before_and_who_gave_them(web1: Server, web2: Server, failed: Rule) -> None:
    service(web1)
    mine = command(web1, "succeeded", created_at=ago(600), asked_by_name="ana", reason="new certificate")
    command(web1, "succeeded", created_at=ago(3700 + 60))
    command(web2, "succeeded", created_at=ago(600))
    (told,) = filled(opened(failed, web1))["commands"]
    assert (told["id"], told["by"], told["reason"]) == (str(mine.uuid), "ana", "new certificate")
    assert (told["cmd"], told["target"], told["state"]) == ("restart", NGINX, "succeeded")


def test_the_log_is_asked_of_the_agent_once_in_the_hubs_name(web1: Server, agent: Client, failed: Rule) -> None:
    can_read(web1)
    service(web1)
    incident = opened(failed, web1)
    assert filled(incident)["log"]["state"] == capsule_log.ASKING
    capsule.fill()
    read = Read.objects.get()
    assert (read.kind, read.target, read.args, read.asked_by) == ("logs", NGINX, {"lines": 50}, None)
    entry = AuditEntry.objects.get(event="read.logs")
    assert (entry.actor, entry.server, entry.target) == ("hub", web1, NGINX)
    assert entry.reason == f"Incident {incident.uuid}: Web down"
    answers(agent, {"text": "bind() failed", "level": 3, "by": "nginx[12]"}, {"text": "exiting"})
    log = filled(incident)["log"]
    assert log["state"] == reads.ANSWERED
    assert [line["text"] for line in log["lines"]] == ["bind() failed", "exiting"]
    assert incident.capsule_due is None
    capsule.fill()
    assert Read.objects.count() == 1


def test_lines_are_bounded(web1: Server, agent: Client, failed: Rule) -> None:
    can_read(web1)
    service(web1)
    incident = opened(failed, web1)
    filled(incident)
    answers(agent, *({"text": f"{number} " + "x" * 3000} for number in range(40)))
    log = filled(incident)["log"]
    assert log["cut"]
    assert log["lines"][-1]["text"].startswith("39 "), "the newest are kept"
    assert sum(len(line["text"]) for line in log["lines"]) <= capsule_log.CHARS


@pytest.mark.parametrize(
    ("prepare", "state"),
    [
        ("silent", reads.SILENT),
        ("old", reads.TOO_OLD),
        ("waiting", reads.WAITING),
    ],
)
def test_an_agent_that_cannot_be_asked_is_said_so_at_once(web1: Server, failed: Rule, prepare: str, state: str) -> None:
    service(web1)
    if prepare == "silent":
        can_read(web1)
        Server.objects.filter(pk=web1.pk).update(state="silent")
    if prepare == "old":
        newest(web1)
    incident = opened(failed, web1)
    assert filled(incident)["log"]["state"] == state
    assert incident.capsule_due is None


def test_an_agent_that_refuses_or_never_answers(web1: Server, agent: Client, failed: Rule) -> None:
    can_read(web1)
    service(web1)
    service(web1, "cron.service")
    refused, unheard = opened(failed, web1), opened(failed, web1, "cron.service")
    filled(refused)
    answers(agent, error="its owner does not allow to read logs")
    told = filled(refused)["log"]
    assert (told["state"], told["error"]) == (reads.FAILED, "its owner does not allow to read logs")
    filled(unheard)
    Read.objects.filter(verdict="").update(answer_by=ago(1))
    assert filled(unheard)["log"]["state"] == reads.LATE


def test_a_question_that_was_forgotten_meanwhile_was_not_answered(web1: Server, failed: Rule) -> None:
    can_read(web1)
    service(web1)
    incident = opened(failed, web1)
    filled(incident)
    Read.objects.all().delete()  # the worker was away for more than an hour
    assert filled(incident)["log"]["state"] == reads.LATE


def test_one_question_at_a_time_on_a_server(web1: Server, agent: Client, failed: Rule) -> None:
    can_read(web1)
    for number in range(3):
        service(web1, f"{number}.service")
        opened(failed, web1, f"{number}.service")
    for asked in (1, 2, 3):
        capsule.fill()
        capsule.fill()
        assert Read.objects.count() == asked, "the next one waits for the answer"
        answers(agent, {"text": "ok"})
        capsule.fill()
    assert Incident.objects.filter(capsule_due=None, capsule__log__state=reads.ANSWERED).count() == 3


@pytest.fixture
def many(web_group: ServerGroup) -> list[Server]:
    return [enrolled(f"web-{number}", web_group)[0] for number in range(45)]


def test_a_storm_asks_few_agents_a_round(many: list[Server], failed: Rule) -> None:
    for number, server in enumerate(many):
        can_read(server)
        service(server)
        opened(rule(name=f"Rule {number}"), server)  # each another rule: they are no group
    capsule.fill()
    assert 1 <= Read.objects.count() <= capsule.BATCH
    for _ in range(45):
        capsule.fill()
    assert Read.objects.count() == 45


def test_of_many_servers_at_once_only_the_first_members_have_one(many: list[Server], failed: Rule) -> None:
    for server in many:
        opened(failed, server)
    for _ in range(4):
        capsule.fill()
    assert Incident.objects.filter(capsule__isnull=False).count() == capsule.FIRST
    assert Incident.objects.filter(capsule_due__isnull=False).count() == 0
    assert Incident.objects.get(server=None).capsule is None


def test_one_that_fails_holds_up_no_other_and_is_given_up_in_the_end(
    web1: Server, web2: Server, failed: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = capsule_found.find

    def broken(incident: Incident) -> dict[str, Any]:
        if incident.server_id == web1.pk:
            raise ZeroDivisionError
        return find(incident)

    monkeypatch.setattr(capsule_found, "find", broken)
    first, second = opened(failed, web1), opened(failed, web2)
    assert filled(second)
    first.refresh_from_db()
    assert first.capsule is None
    assert first.capsule_due
    assert first.capsule_due > timezone.now()
    Incident.objects.filter(pk=first.pk).update(capsule_due=ago(1), recorded_at=ago(3600))
    assert filled(first) == {"failed": True}


def test_a_closed_incident_is_looked_at_all_the_same(web1: Server, failed: Rule) -> None:
    incident = opened(failed, web1)
    Incident.objects.filter(pk=incident.pk).update(state="closed", closed_at=timezone.now())
    assert filled(incident)
