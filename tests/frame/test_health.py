"""/healthz, /readyz and /metrics: what they say, and that they tell trouble."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Any

import pytest
from channels.layers import channel_layers
from django.conf import settings as project
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from pmonitor import health, metrics, worker
from pmonitor.models import StepRun
from tests.cast import program_of, signed_in


@pytest.fixture
def steps_ran(db: None) -> None:
    for step in worker.STEPS:
        StepRun.objects.create(name=StepRun.name_of(step.run), ran_at=timezone.now(), seconds=0.1)


def test_healthz_asks_nothing_but_this_process() -> None:
    response = Client().get("/healthz")  # without the db fixture, any query is an error
    assert (response.status_code, response.content) == (200, b"ok")
    assert "no-store" in response["Cache-Control"]


def test_ready_when_every_part_answers(steps_ran: None) -> None:
    response = Client().get("/readyz")
    assert (response.status_code, response.json()) == (200, {"ready": True, "wrong": {}})


@pytest.mark.skipif(bool(project.REDIS_URL), reason="looks into the in-memory layer")
def test_asking_often_leaves_nothing_in_the_layer(steps_ran: None) -> None:
    layer: Any = channel_layers["default"]
    before = len(layer.channels)
    for _ in range(3):
        assert Client().get("/readyz").status_code == 200
    assert len(layer.channels) == before


def test_a_step_that_never_ran_or_ran_long_ago_is_named(steps_ran: None) -> None:
    (fast, first, _of), (slow, last, _of) = worker.STEPS[0], worker.STEPS[-1]
    ago = timezone.now() - timedelta(seconds=3 * fast + health.LATE_BY_SEC + 1)
    StepRun.objects.filter(name__in=[StepRun.name_of(first), StepRun.name_of(last)]).update(ran_at=ago)
    assert slow > fast
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert response.json()["wrong"]["worker"].startswith(f"{StepRun.name_of(first)} ran ")
    assert StepRun.name_of(last) not in response.json()["wrong"]["worker"]
    StepRun.objects.filter(name=StepRun.name_of(first)).delete()
    assert Client().get("/readyz").json()["wrong"]["worker"] == f"{StepRun.name_of(first)} never ran"


def test_a_part_that_does_not_answer_is_named_without_its_inside(
    steps_ran: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise ConnectionError("password=hidden")

    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": ["redis://127.0.0.1:18599/0"]},
        }
    }
    monkeypatch.setitem(health.PARTS, "database", away)
    response = Client().get("/readyz")
    assert response.status_code == 503
    assert set(response.json()["wrong"]) == {"database", "channel layer"}
    assert "hidden" not in response.content.decode()


@pytest.mark.parametrize(
    ("address", "allowed", "status"),
    [
        ("127.0.0.1", "127.0.0.0/8", 200),
        ("::ffff:127.0.0.1", "127.0.0.0/8", 200),
        ("10.1.2.3", "10.1.0.0/16", 200),
        ("10.2.2.3", "10.1.0.0/16", 401),
        ("2001:db8::1", "2001:db8::/32", 200),
        ("", "127.0.0.0/8", 401),
    ],
)
def test_metrics_are_for_the_networks_that_are_named(
    db: None, settings: Settings, address: str, allowed: str, status: int
) -> None:
    settings.METRICS_ALLOW = [ipaddress.ip_network(allowed)]
    response = Client(REMOTE_ADDR=address).get("/metrics")
    assert response.status_code == status
    assert status == 200 or response["WWW-Authenticate"].startswith("Bearer")


def test_metrics_are_for_viewers_from_anywhere(viewer: User, nobody: User) -> None:
    for client, status in (
        (program_of(viewer), 200),
        (signed_in(viewer), 200),
        (program_of(nobody), 401),
        (signed_in(nobody), 401),
        (Client(headers={"Authorization": "Bearer pmu_wrong"}), 401),
    ):
        assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == status


def test_metrics_tell_reports_commands_and_steps(steps_ran: None) -> None:
    metrics.REPORTS.labels("stored").inc()
    text = Client().get("/metrics").content.decode()
    for name in (
        'pmonitor_reports_total{outcome="stored"}',
        "pmonitor_ingest_seconds_count",
        "pmonitor_waiting_agents",
        "pmonitor_sockets",
        f'pmonitor_step_age_seconds{{step="{StepRun.name_of(worker.STEPS[0].run)}"}}',
        'pmonitor_commands{state="queued"}',
    ):
        assert f"\n{name} " in text, name


def test_metrics_tell_which_steps_last_run_failed(steps_ran: None) -> None:
    bad, good = (StepRun.name_of(step.run) for step in worker.STEPS[:2])
    StepRun.objects.filter(name=bad).update(error="RuntimeError: no such luck")
    text = Client().get("/metrics").content.decode()
    assert f'pmonitor_step_failing{{step="{bad}"}} 1.0' in text
    assert f'pmonitor_step_failing{{step="{good}"}} 0.0' in text
    assert "no such luck" not in text


def test_only_reading_is_answered() -> None:
    assert [Client().post(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [405] * 3


def test_the_database_check_asks_the_database(db: None) -> None:
    with pytest.raises(AssertionError, match="asked"), connection.execute_wrapper(_refuse):
        health.database()


def _refuse(*_: Any) -> None:
    raise AssertionError("asked")
