"""What a rule would have done, as the editor and programs are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts.evaluate.replay import Episode
from alerts.models import Rule
from alerts.rules import kinds, preview, wanted
from servers.models import Server
from tests.actions.pages import text
from tests.alerts.rules.filled import LIST, NEW, limit_shown, typed
from tests.alerts.rules.making import FAILED, MEMORY
from tests.alerts.rules.past import memory
from tests.cast import program_of
from tests.servers import rolledup

pytestmark = pytest.mark.django_db
PREVIEW = f"{LIST}preview/"
GIVEN = MEMORY._replace(for_sec=300)


@pytest.fixture(autouse=True)
def _nothing_is_rolled_up() -> Iterator[None]:
    with rolledup.nothing_before(timezone.now() - timedelta(days=30)):
        yield


def test_it_tells_how_often_and_where_and_draws_the_worst(
    as_operator: Client, web1: Server, web2: Server, db1: Server
) -> None:
    began = memory(web1, high=120, low=80)
    memory(web2, high=0, low=1)
    memory(db1, high=120, low=80)  # not in the operator's scope
    shown = text(as_operator.get(PREVIEW, typed(GIVEN)))
    assert "Would have fired 1 time in the last 7 days" in shown
    assert "on 1 of 2 servers" in shown
    assert "History of these servers begins" in shown
    (at,) = re.findall(rf'href="/servers/{web1.agent_id}/\?at=([^"]*)"', shown)
    assert timedelta(0) <= datetime.fromisoformat(at) - began <= timedelta(minutes=12)
    assert shown.count('class="fired"') == 1
    assert '<path class="a" d="M' in shown
    assert '<path class="limit" d="M0 13.6H1000"/>' in shown  # 90 of 100
    assert limit_shown(shown) == "90%"


def test_a_calm_past_is_told(as_operator: Client, web1: Server) -> None:
    memory(web1, high=0, low=1)
    shown = text(as_operator.get(PREVIEW, typed(GIVEN)))
    assert "Would not have fired in the last 7 days" in shown
    assert "<svg" not in shown


def test_what_is_still_going_on_is_told(as_operator: Client, web1: Server) -> None:
    memory(web1, high=60, low=0)
    assert "still open" in text(as_operator.get(PREVIEW, typed(GIVEN)))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"limit": ""}, {"Limit": "must be a number from 0 to 100"}),
        (
            {"limit": "x", "for": "-5"},
            {"Limit": "Write a number such as 90.", "For": "Write a span of time such as 5 min."},
        ),
        ({"scope": '"'}, {"Applies to": "has a quotation mark (&quot;) without its other one"}),
        ({"k": "9"}, {"Samples looked at": "must be a whole number of samples from 1 to 60, given together with k"}),
    ],
)
def test_of_a_rule_that_is_not_right_yet_it_names_every_wrong_field(
    as_operator: Client, web1: Server, changed: dict[str, str], said: dict[str, str]
) -> None:
    memory(web1, high=60, low=0)
    shown = text(as_operator.get(PREVIEW, typed(GIVEN, **changed)))
    assert "stands here when these are right:" in shown
    assert dict(re.findall(r"<p><b>([^<]*)</b>: ([^<]*)</p>", shown)) == said


def test_a_kind_that_there_is_not_is_named(as_operator: Client) -> None:
    assert "<b>What to watch</b>: must be one of" in text(as_operator.get(PREVIEW, typed(GIVEN, kind="weather")))


def test_what_it_does_not_look_at_keeps_it_from_nothing(as_operator: Client, web1: Server) -> None:
    memory(web1, high=60, low=0)
    shown = text(as_operator.get(PREVIEW, typed(GIVEN, name="", escalate_after="soon")))
    assert "Would have fired 1 time" in shown


def test_a_limit_near_the_top_has_its_words_below_the_line(as_operator: Client, web1: Server) -> None:
    memory(web1, high=60, low=0)
    assert 'y="13.6%" dy="1.2em">90%<' in text(as_operator.get(PREVIEW, typed(GIVEN)))
    assert 'y="52.0%" dy="-.4em">50%<' in text(as_operator.get(PREVIEW, typed(GIVEN, limit="50", clear_limit="")))


def test_the_form_shows_it_without_scripts_and_saves_nothing(as_operator: Client, web1: Server) -> None:
    memory(web1, high=60, low=0)
    shown = text(as_operator.post(NEW, {**typed(GIVEN), "again": "preview"}))
    assert "Would have fired 1 time" in shown
    assert "<html" in shown
    assert not Rule.objects.exists()


def test_the_editor_asks_for_it_by_itself(as_operator: Client) -> None:
    shown = text(as_operator.get(NEW))
    assert f'hx-get="{PREVIEW}"' in shown
    assert "What it would have done in the last 7 days stands here." in shown


def test_when_the_hub_is_busy_it_says_so(
    as_operator: Client, web1: Server, operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "PATIENCE_SEC", 0.01)
    for _ in range(preview.AT_ONCE):
        preview._places.acquire()
    try:
        assert "busy with other previews" in text(as_operator.get(PREVIEW, typed(GIVEN)))
        answer = program_of(operator).post("/api/alerts/rules/preview", asked(), "application/json")
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    finally:
        for _ in range(preview.AT_ONCE):
            preview._places.release()


def test_who_asks_too_often_waits(as_operator: Client, web1: Server, settings: Any) -> None:
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "search-parts": (1, 60)}
    as_operator.get(PREVIEW, typed(GIVEN))
    assert "busy" in text(as_operator.get(PREVIEW, typed(GIVEN)))


def test_only_so_many_servers_are_looked_at(
    as_operator: Client, web1: Server, web2: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "MOST_SERVERS", 1)
    assert "The first 1 of 2 servers were looked at." in text(as_operator.get(PREVIEW, typed(GIVEN)))


def test_names_of_servers_are_text(as_operator: Client, web1: Server) -> None:
    Server.objects.filter(pk=web1.pk).update(hostname="<b>web</b>")
    memory(web1, high=60, low=0)
    shown = text(as_operator.get(PREVIEW, typed(GIVEN)))
    assert "<b>web" not in shown
    assert "&lt;b&gt;web" in shown


# For programs


def asked(**changed: Any) -> dict[str, Any]:
    return {
        "kind": "reading", "params": {"metric": "mem"}, "limit": 90, "forSec": 300, "scope": "group:web", **changed
    }  # fmt: skip


def test_a_program_is_told_each_episode(operator: User, web1: Server, web2: Server) -> None:
    began = memory(web1, high=120, low=80)
    answer = program_of(operator).post("/api/alerts/rules/preview", asked(), "application/json")
    said = answer.json()
    assert answer.status_code == 200
    assert (said["fired"], said["servers"], said["matching"], said["lookedAt"], said["actions"]) == (1, 1, 2, 2, 0)
    (episode,) = said["episodes"]
    assert (episode["agent"], episode["subject"]) == (web1.agent_id, "")
    times = [datetime.fromisoformat(episode[name]) for name in ("beganAt", "openedAt", "closedAt")]
    assert times == sorted(times)
    assert abs(times[0] - began) <= timedelta(minutes=6)
    assert not Rule.objects.exists()


def test_a_program_is_told_what_is_wrong(operator: User) -> None:
    answer = program_of(operator).post("/api/alerts/rules/preview", asked(limit=200, k=1), "application/json")
    assert (answer.status_code, set(answer.json()["fields"])) == (400, {"limit", "n"})


# How often it would have acted

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)


def episodes(*minutes: float, server: int = 1, subject: str = "nginx.service") -> list[Episode]:
    """Episodes of a minute that begin so many minutes after noon."""
    return [
        Episode(server, subject, at, at, at + timedelta(minutes=1), None)
        for at in (T0 + timedelta(minutes=number) for number in minutes)
    ]


@pytest.mark.parametrize(
    ("found", "times"),
    [
        (episodes(0, 10, 20), 2),  # two an hour
        (episodes(0, 2, 6), 2),  # the second falls into the cooldown
        (episodes(0, 10, 65), 3),
        (episodes(0, 10, 20) + episodes(0, 10, 20, server=2), 4),
        (episodes(0, 10, 20) + episodes(0, 10, 20, subject="a.service"), 4),
        ([], 0),
    ],
)
def test_actions_are_counted_within_the_budget(found: list[Episode], times: int) -> None:
    given = FAILED._replace(remedy_cmd="restart", remedy_most=2, remedy_within_sec=3_600, remedy_cooldown_sec=300)
    assert preview.acted(given, found[::-1]) == times
    assert preview.acted(FAILED, found) == 0


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_every_kind_is_answered(as_admin: Client, web1: Server, kind: str) -> None:
    begun = wanted.usual(kind)._replace(name="New")
    if "pattern" in begun.params:
        begun = begun._replace(params={**begun.params, "pattern": "nginx"})
    shown = text(as_admin.get(PREVIEW, typed(begun)))
    assert "Would not have fired" in shown or "cannot be told from history" in shown
