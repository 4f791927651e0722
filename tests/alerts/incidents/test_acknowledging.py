"""Taking all the open incidents that a list shows."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts import person_moves, states
from alerts.models import Incident, Rule
from alerts.rules import kinds
from servers.models import Server
from tests.alerts.incidents.pages import text, words
from tests.alerts.opening import opened, rule

ALL = "/alerts/acknowledge/"


@pytest.fixture
def down(db: None) -> Rule:
    return rule("Web down", kinds.FAILED)


def taken() -> set[str]:
    return set(Incident.objects.filter(state=states.ACKNOWLEDGED).values_list("subject", flat=True))


def test_it_asks_how_many_and_which(down: Rule, as_operator: Client, web1: Server, db1: Server) -> None:
    first, second = opened(down, web1, "a.service"), opened(down, web1, "b.service")
    opened(down, db1, "c.service")
    said = text(as_operator.get(ALL))
    assert "Acknowledge 2 incidents?" in words(said)
    assert "a.service failed, srv-web-01" in said
    assert "c.service" not in said
    assert f'name="upto" value="{max(first.pk, second.pk)}"' in said
    assert text(as_operator.get(ALL, headers={"HX-Request": "true"})).startswith("<form")
    assert taken() == set()


def test_what_was_shown_is_taken_and_nothing_that_came_since(down: Rule, as_operator: Client, web1: Server) -> None:
    opened(down, web1, "a.service")
    last = opened(down, web1, "b.service")
    opened(down, web1, "new.service")
    answer = as_operator.post(ALL, {"upto": last.pk})
    assert answer["Location"] == "/alerts/"
    assert taken() == {"a.service", "b.service"}


def test_only_what_the_filters_mean_is_taken(
    down: Rule, as_operator: Client, web1: Server, web2: Server, db1: Server
) -> None:
    full = rule("Disk", kinds.DISK_USED, severity=states.WARNING, limit=90)
    opened(down, web1, "a.service")
    opened(down, db1, "theirs.service")
    opened(full, web2, "/", limit=90)
    last = opened(down, web2, "b.service")
    answer = as_operator.post(f"{ALL}?severity=critical&q=web-02", {"upto": last.pk})
    assert answer["Location"] == "/alerts/?q=web-02&severity=critical"
    assert taken() == {"b.service"}


def test_what_somebody_has_already_stays_theirs(down: Rule, admin: User, as_operator: Client, web1: Server) -> None:
    one = opened(down, web1, "a.service")
    person_moves.acknowledge(admin, one)
    assert "There is nothing to acknowledge." in text(as_operator.get(ALL))
    as_operator.post(ALL, {"upto": one.pk})
    one.refresh_from_db()
    assert one.acknowledged_by == admin


@pytest.mark.parametrize("upto", ["", "x", "-1", "9" * 40])
def test_a_number_that_is_none_takes_nothing(down: Rule, as_operator: Client, web1: Server, upto: str) -> None:
    opened(down, web1, "a.service")
    assert "upto: must be the number" in text(as_operator.post(ALL, {"upto": upto}), 400)
    assert taken() == set()


def test_viewers_take_nothing(down: Rule, as_viewer: Client, client: Client, web1: Server) -> None:
    one = opened(down, web1, "a.service")
    for method in (as_viewer.get, as_viewer.post):
        assert method(ALL, {"upto": one.pk}).status_code == 403
    assert client.post(ALL, {"upto": one.pk})["Location"].startswith("/login/")
    assert taken() == set()
