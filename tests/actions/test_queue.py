"""The long-poll on a real web process: woken by NOTIFY, ended in time, and holding next to nothing."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import psutil
import pytest
import requests
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from actions import lifecycle, queue, reads, states
from actions.models import Command
from actions.queue import QueueConsumer
from servers.models import Newest, Server
from tests.actions.making import NGINX, ago, command
from tests.actions.web_process import Polling, WebProcess, sessions, web_process
from tests.cast import enrolled
from tests.patience import PATIENCE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.e2e]
LISTENER = "pmonitor listen"


@pytest.fixture(scope="module")
def web(django_db_setup: None, django_db_blocker: Any) -> Iterator[WebProcess]:
    with django_db_blocker.unblock(), web_process() as running:
        yield running


def until(holds: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + PATIENCE * seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def waiting(web: WebProcess, token: str, wait: int = 25) -> Polling:
    """A poll that has looked at the table and waits now."""
    polling = Polling(web, token, wait)
    until(lambda: sessions(LISTENER) == 1)
    time.sleep(0.5)
    assert polling.answer is None
    return polling


def asked(server: Server, target: str = NGINX) -> Command:
    return lifecycle.queue(server=server, cmd="restart", target=target, actor=lifecycle.HUB)


def test_a_waiting_agent_gets_a_command_at_once(web: WebProcess, web1: Server, agent_token: str) -> None:
    polling = waiting(web, agent_token)
    one = asked(web1)
    queued_at = time.monotonic()
    answer = polling.done()
    assert time.monotonic() - queued_at < 20  # below the 25 s of the wait and the 30 s of the look at the table
    assert answer.status_code == 200
    assert [given["id"] for given in answer.json()["commands"]] == [str(one.uuid)]
    hub_time = datetime.fromisoformat(answer.json()["serverTime"])  # the hub sends no Date
    assert abs((timezone.now() - hub_time).total_seconds()) < 30
    one.refresh_from_db()
    assert (one.state, one.deliveries) == (states.DELIVERED, 1)


def test_what_is_queued_already_is_given_at_once(web: WebProcess, web1: Server, agent_token: str) -> None:
    first, second = asked(web1, "a.service"), asked(web1, "b.service")
    answer = web.poll(agent_token)
    assert [given["id"] for given in answer.json()["commands"]] == [str(first.uuid), str(second.uuid)]
    assert answer.elapsed.total_seconds() < 20


def test_the_wait_ends_with_204(web: WebProcess, web1: Server, agent_token: str) -> None:
    for wait in (0, 1):
        answer = web.poll(agent_token, wait)
        assert (answer.status_code, answer.content) == (204, b"")
        assert wait <= answer.elapsed.total_seconds() < wait + 20


def test_a_requeued_command_wakes_the_agent_too(web: WebProcess, web1: Server, agent_token: str) -> None:
    lapsed = command(web1, states.DELIVERED, lease_until=ago(1))
    polling = waiting(web, agent_token)
    lifecycle.requeue(lapsed)
    assert polling.done().status_code == 200


def test_another_servers_command_wakes_nobody_here(
    web: WebProcess, web1: Server, web2: Server, agent_token: str
) -> None:
    polling = waiting(web, agent_token, wait=3)
    asked(web2)
    assert polling.done().status_code == 204
    assert Command.objects.get().state == states.QUEUED


def test_of_two_polls_one_gets_it(web: WebProcess, web1: Server, agent_token: str) -> None:
    polls = [waiting(web, agent_token, wait=8) for _ in range(2)]
    one = asked(web1)
    assert sorted(polling.done().status_code for polling in polls) == [200, 204]
    one.refresh_from_db()
    assert one.deliveries == 1


def test_a_rolled_back_command_wakes_nobody(web: WebProcess, web1: Server, agent_token: str) -> None:
    polling = waiting(web, agent_token, wait=3)
    with transaction.atomic():
        asked(web1)
        transaction.set_rollback(True)
    assert polling.done().status_code == 204


def test_it_is_delivered_though_the_listening_connection_was_killed(
    web: WebProcess, web1: Server, agent_token: str
) -> None:
    polling = waiting(web, agent_token)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", [LISTENER])
    asked(web1)
    queued_at = time.monotonic()
    assert polling.done().status_code == 200
    assert time.monotonic() - queued_at < 20
    until(lambda: sessions(LISTENER) == 1)
    again = waiting(web, agent_token)
    asked(web1, "b.service")
    assert again.done().status_code == 200


def test_a_notice_that_names_no_server_is_passed_over(web: WebProcess, web1: Server, agent_token: str) -> None:
    polling = waiting(web, agent_token)
    with connection.cursor() as cursor:
        for words in ("nonsense", "²", "9" * 5000):
            cursor.execute("select pg_notify('commands', %s)", [words])
    asked(web1)
    assert polling.done().status_code == 200


def test_a_database_that_fails_is_said_in_json(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: object) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(queue, "look", away)
    sent = asyncio.run(_sent_by_the_consumer())
    assert sent[0]["status"] == 503
    assert b"try again" in sent[1]["body"]


async def _sent_by_the_consumer() -> list[Any]:
    route = {"kwargs": {"agent": "srv-web-01"}}
    scope = {"type": "http", "method": "GET", "query_string": b"", "headers": [], "url_route": route}
    caller: Any = ApplicationCommunicator(QueueConsumer.as_asgi(), scope)  # type: ignore[no-untyped-call]
    await caller.send_input({"type": "http.request", "body": b""})
    return [await caller.receive_output(5) for _ in range(2)]


def test_an_agent_that_leaves_takes_nothing(web: WebProcess, web1: Server, agent_token: str) -> None:
    left = web.open_poll(agent_token)
    until(lambda: sessions(LISTENER) == 1)
    time.sleep(0.5)
    left.close()
    time.sleep(0.5)
    one = asked(web1)
    time.sleep(1)
    one.refresh_from_db()
    assert (one.state, one.deliveries) == (states.QUEUED, 0)
    assert web.poll(agent_token, 0).status_code == 200


def test_a_crowd_of_waiting_agents_holds_neither_threads_nor_connections(
    web: WebProcess, web1: Server, agent_token: str
) -> None:
    crowd = [enrolled(f"srv-crowd-{number}") for number in range(100)]
    polls = [web.open_poll(token, server.agent_id) for server, token in crowd]
    try:
        time.sleep(3)  # each has looked at the table once
        assert web.threads() < 30
        assert sessions() < 25  # the pool's most, and the one that listens
        server, _token = crowd[57]
        asked(server)
        polls[57].settimeout(10)
        assert polls[57].recv(100).startswith(b"HTTP/1.1 200")
    finally:
        for poll in polls:
            poll.close()


@pytest.mark.parametrize(
    ("token", "agent", "wait", "status"),
    [
        ("", "srv-web-01", 0, 401),
        ("pma_nonsense", "srv-web-01", 0, 401),
        (None, "srv-other", 0, 403),
        (None, "srv-web-01", 56, 400),
        (None, "srv-web-01", "x", 400),
        (None, "srv-web-01", "", 400),
    ],
)
def test_wrong_polls(
    web: WebProcess, web1: Server, agent_token: str, token: str | None, agent: str, wait: object, status: int
) -> None:
    answer = web.poll(agent_token if token is None else token, wait, agent)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    assert (status == 400) == ("wait" in answer.json().get("fields", {}))


def test_an_address_that_is_not_allowed(web: WebProcess, web1: Server, agent_token: str) -> None:
    Server.objects.update(allowed_networks=["10.0.0.0/8"])
    assert web.poll(agent_token, 0).status_code == 403


def test_only_get(web: WebProcess, web1: Server, agent_token: str) -> None:
    url, headers = f"{web.url}/api/actions/queue/srv-web-01", {"X-Agent-Token": agent_token}
    answer = requests.post(url, headers=headers, json={}, timeout=10)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


def test_a_stopping_process_answers_those_that_wait(web1: Server, agent_token: str) -> None:
    with web_process() as stopping:
        polling = Polling(stopping, agent_token)
        time.sleep(1.5)
        assert polling.answer is None
        stopping.stop()
        answer = polling.done()
        assert (answer.status_code, polling.seconds < 10) == (204, True)
        assert stopping.process.returncode == 0


@pytest.mark.parametrize("told", [True, False])
def test_a_body_without_end_is_cut_off_and_not_kept(web: WebProcess, told: bool) -> None:
    before, chunk = psutil.Process(web.process.pid).memory_info().rss, bytes(1_000_000)
    body = io.BytesIO(chunk * 100) if told else (chunk for _ in range(100))
    try:
        answer = requests.post(f"{web.url}/api/agents/register", data=body, timeout=30)
        assert answer.status_code == 413
    except requests.ConnectionError:
        pass  # cut off before it had said all
    assert psutil.Process(web.process.pid).memory_info().rss - before < 40_000_000
    assert requests.get(f"{web.url}/healthz", timeout=10).text == "ok"


def test_a_question_wakes_the_agent_too(web: WebProcess, web1: Server, operator: User, agent_token: str) -> None:
    Newest.objects.create(server=web1, received_at=ago(0), sampled_at=ago(0), facts={"features": ["reads"]})
    polling = waiting(web, agent_token)
    read = reads.ask(operator, web1, "logs", NGINX)
    answer = polling.done()
    assert (answer.status_code, answer.json()["commands"]) == (200, [])
    assert [given["id"] for given in answer.json()["reads"]] == [str(read.uuid)]


def test_of_two_polls_one_gets_the_question(web: WebProcess, web1: Server, operator: User, agent_token: str) -> None:
    Newest.objects.create(server=web1, received_at=ago(0), sampled_at=ago(0), facts={"features": ["reads"]})
    polls = [waiting(web, agent_token, wait=8) for _ in range(2)]
    reads.ask(operator, web1, "logs", NGINX)
    assert sorted(polling.done().status_code for polling in polls) == [200, 204]
