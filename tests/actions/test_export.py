"""The audit trail filtered, and as CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from actions import audit, export, lifecycle
from actions.models import AuditEntry
from servers.models import Server
from tests.actions.making import command

pytestmark = pytest.mark.django_db


def wrote(event: str, server: Server | None, **facts: Any) -> AuditEntry:
    with transaction.atomic():
        return audit.write(event, **{"actor": "Maria", **facts}, server=server)


def events(user: User, **params: str) -> list[str]:
    found, errors = export.filtered(user, params)
    assert errors == {}
    return sorted(found.values_list("event", flat=True))


@pytest.fixture
def trail(web1: Server, web2: Server, db1: Server) -> None:
    wrote("a", web1, target="nginx.service", cmd="restart", to_state="queued")
    wrote("b", web2, target="redis.service", cmd="stop", to_state="expired", actor="Andrei", reason="New certificate")
    wrote("c", db1, target="postgres.service")


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, "ab"),
        ({"q": "NGINX"}, "a"),
        ({"q": "new redis"}, "b"),
        ({"q": "srv-web"}, "ab"),
        ({"q": "restart maria"}, "a"),
        ({"q": "postgres"}, ""),
        ({"q": "100%"}, ""),
        ({"who": "Andrei"}, "b"),
        ({"state": "queued"}, "a"),
        ({"event": "b"}, "b"),
        ({"server": "srv-web-02"}, "b"),
        ({"server": "srv-db-01"}, ""),
        ({"from": "2020-01-01", "to": "2020-01-02"}, ""),
        ({"from": "2020-01-01T00:00", "to": "2999-12-31"}, "ab"),
        ({"from": "2999-01-01T00:00:00+02:00"}, ""),
        ({"q": " ", "who": "", "unheard-of": "x"}, "ab"),
    ],
)
def test_filters_find_what_is_in_scope(trail: None, viewer: User, params: dict[str, str], expected: str) -> None:
    assert "".join(events(viewer, **params)) == expected


def test_a_day_given_as_end_is_meant_whole(trail: None, admin: User) -> None:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert events(admin, **{"from": today, "to": today}) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("state", "exploded"),
        ("from", "yesterday"),
        ("to", "2026-13-01"),
        ("from", "2026-02-30T10:00"),
        ("to", "0"),
        ("to", "9999-12-31"),
    ],
)
def test_a_wrong_filter_is_named_and_finds_nothing(trail: None, admin: User, name: str, given: str) -> None:
    found, errors = export.filtered(admin, {name: given})
    assert list(errors) == [name]
    assert not found.exists()


def test_nul_in_a_filter_is_no_error(trail: None, admin: User) -> None:
    assert events(admin, q="ngi\0nx") == ["a"]


def test_csv_says_all_of_every_entry(web1: Server, operator: User) -> None:
    actor = lifecycle.Actor("Oleg", operator, "198.51.100.23")
    one = lifecycle.queue(server=web1, cmd="restart", target="nginx.service", actor=actor, reason='say "hi", all')
    lines = list(csv.DictReader(export.csv_rows(export.filtered(operator, {})[0])))
    (row,) = lines
    assert row["who"] == "Oleg"
    assert row["address"] == "198.51.100.23"
    assert (row["verb"], row["target"], row["server"]) == ("restart", "nginx.service", "srv-web-01")
    assert (row["from"], row["to"], row["reason"]) == ("", "queued", 'say "hi", all')
    assert row["command"] == str(one.uuid)
    assert datetime.fromisoformat(row["time"]).tzinfo is not None


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(web1: Server, admin: User, start: str) -> None:
    wrote("x", web1, reason=f"{start}cmd|' /C calc'!A0", target=f"{start}1", actor=f"{start}2")
    (row,) = csv.DictReader(export.csv_rows(AuditEntry.objects.all()))
    for cell in (row["reason"], row["target"], row["who"]):
        assert cell.startswith(f"'{start}")


def test_the_export_reads_in_one_query(web1: Server, django_assert_num_queries: Any) -> None:
    for number in range(5):
        command(web1, target=f"{number}.service")
    lifecycle.claim(web1)
    with django_assert_num_queries(1):
        rows = list(export.csv_rows(AuditEntry.objects.select_related("server", "command")))
    assert len(rows) == 6
