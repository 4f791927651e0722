"""The dashboard: who sees what, filters, order, pages, totals, and how many queries it takes."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pmonitor import access
from servers import fleet, fleet_totals, ingest, states
from servers.models import Newest, Scope, Server, ServerGroup
from servers.wire import Load, Proc, Report
from tests.cast import enrolled, person, signed_in

LONG = "kafka-broker-buh1-rack07-node-0003.internal.example.net"


def report(server: Server, cpu: float, memory: float = 1000, top: str = "redis-server") -> None:
    """A report with these readings."""
    proc = Proc(name=top, pid=1, cpu=cpu, mem_mb=10, status="running")
    load = Load(cpu=cpu, mem_used_mb=memory, mem_total_mb=8000, load1=cpu / 10)
    made = Report(agent_id=server.agent_id, ts=timezone.now().timestamp(), procs=[proc], load=load, uptime_sec=60)
    ingest.store(server, made, timezone.now())


def listed(client: Client, address: str = "/") -> list[str]:
    """The host names in the list, in order."""
    return re.findall(r'<a class="clip" href="/servers/[^"]*" title="([^"]*)"', client.get(address).content.decode())


def test_each_sees_their_scope(
    as_viewer: Client, as_admin: Client, as_outsider: Client, web1: Server, web2: Server, db1: Server
) -> None:
    assert listed(as_viewer) == ["srv-web-01", "srv-web-02"]
    assert listed(as_outsider) == ["srv-db-01"]
    assert listed(as_admin) == ["srv-db-01", "srv-web-01", "srv-web-02"]


def test_nobody_without_a_role_comes_in(client: Client, nobody: User, web1: Server) -> None:
    assert client.get("/").status_code == 302
    assert signed_in(nobody).get("/").status_code == 403


def test_a_scope_key_means_the_same_servers_as_visible_to(
    viewer: User, admin: User, nobody: User, web1: Server, web2: Server, db1: Server
) -> None:
    both = person("bo", access.VIEWER, *ServerGroup.objects.all())
    everything = person("eva", access.VIEWER)
    Scope.objects.create(user=everything, everything=True)
    for user in (viewer, admin, nobody, both, everything, person("noa", access.VIEWER), AnonymousUser()):
        seen = set(Server.objects.visible_to(user).values_list("pk", flat=True))
        assert set(fleet.in_scope(fleet.scope_of(user)).values_list("pk", flat=True)) == seen


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("/?q=web", ["srv-web-01", "srv-web-02"]),
        ("/?q=WEB+01", ["srv-web-01"]),
        ("/?q=srv-web-01", ["srv-web-01"]),
        ("/?q=env%3Dprod", ["srv-db-01"]),
        ("/?q=prod", ["srv-db-01"]),
        ("/?q=postgr", ["srv-db-01"]),
        ("/?label=env%3Dprod", ["srv-db-01"]),
        ("/?group=db", ["srv-db-01"]),
        ("/?status=up", ["srv-db-01"]),
        ("/?status=attention", ["srv-web-01", "srv-web-02"]),
        ("/?status=nonsense&sort=nonsense&from=x&turn=9", ["srv-web-01", "srv-web-02", "srv-db-01"]),
        ("/?q=%00&group=%00%27&label=%00", []),
        ("/?q=100%25", []),
        ("/?from=99999999999999", ["srv-web-01", "srv-web-02", "srv-db-01"]),
        ("/?from=3", []),
    ],
)
def test_filters(as_admin: Client, web1: Server, web2: Server, db1: Server, address: str, names: list[str]) -> None:
    Server.objects.filter(pk=db1.pk).update(labels={"env": "prod"})
    report(db1, 40, top="postgres")
    assert listed(as_admin, address) == names


def test_sorting_and_turning_around(as_viewer: Client, web1: Server, web2: Server) -> None:
    report(web1, 20)
    report(web2, 60)
    assert listed(as_viewer, "/?sort=cpu") == ["srv-web-02", "srv-web-01"]
    assert listed(as_viewer, "/?sort=cpu&turn=1") == ["srv-web-01", "srv-web-02"]
    Newest.objects.filter(server=web2).update(cpu=None)
    assert listed(as_viewer, "/?sort=cpu") == ["srv-web-01", "srv-web-02"]  # without a value: last, both ways
    assert listed(as_viewer, "/?sort=cpu&turn=1") == ["srv-web-01", "srv-web-02"]


@pytest.mark.parametrize("sort", list(fleet.SORTS))
def test_every_column_sorts(as_viewer: Client, web1: Server, web2: Server, sort: str) -> None:
    report(web1, 20)
    assert set(listed(as_viewer, f"/?sort={sort}")) == {"srv-web-01", "srv-web-02"}
    page = as_viewer.get(f"/?sort={sort}").content.decode()
    assert len(re.findall("aria-sort=", page)) == 1


def test_those_that_need_attention_come_first(as_viewer: Client, web1: Server, web2: Server) -> None:
    report(web1, 20)
    report(web2, 20)
    Server.objects.filter(pk=web2.pk).update(state=states.SILENT)
    assert listed(as_viewer) == ["srv-web-02", "srv-web-01"]


def test_a_silent_server_shows_no_old_values(as_viewer: Client, web1: Server) -> None:
    report(web1, 83, top="old-process")
    value = re.compile(r">83\b")  # a number of ours, such as the server's, may be 83 too
    assert value.search(as_viewer.get("/").content.decode())
    Server.objects.filter(pk=web1.pk).update(state=states.SILENT)
    Newest.objects.filter(server=web1).update(received_at=timezone.now() - timedelta(minutes=47))
    page = as_viewer.get("/").content.decode()
    row = page[page.index("<tr id=") :]
    assert not value.search(row[: row.index("</tr>")])
    assert "old-process" not in page
    assert ">47 min</time>" in row


def many(count: int, group: ServerGroup) -> None:
    """Servers that have reported."""
    for number in range(count):
        server = enrolled(f"srv-{number:03}", group)[0]
        Server.objects.filter(pk=server.pk).update(hostname=LONG.replace("0003", f"{number:04}"), labels={"a": "b"})
        report(server, 99.4, 7900, top="a-rather-long-process-name")


@pytest.mark.django_db
def test_queries_and_bytes_do_not_grow_with_the_fleet(admin: User, web_group: ServerGroup) -> None:
    client = signed_in(admin)
    many(45, web_group)
    client.get("/")
    with CaptureQueriesContext(connection) as queries:
        page = client.get("/").content.decode()
    # session, user, role; incidents not taken, for the header; totals, incidents twice, commands in flight
    # stops for a time, what waits, labels; rows, sparklines
    # (how far minutes are rolled up, the readings), count; the hub's absences
    assert len(queries) == 16
    rows = re.findall(r"<tr id=.*?</tr>", page, re.DOTALL)
    assert len(rows) == fleet.PAGE
    assert max(len(row.encode()) for row in rows) <= 2500
    assert len(page.encode()) < 200_000


@pytest.mark.django_db
def test_the_next_screen_comes_as_rows_and_a_new_link(admin: User, web_group: ServerGroup) -> None:
    client = signed_in(admin)
    many(45, web_group)
    assert 'href="?from=40"' in client.get("/").content.decode()
    part = client.get("/?from=40", headers={"HX-Request": "true"}).content.decode()
    assert part.count("<tr id=") == 5
    assert 'hx-swap-oob="beforeend:#servers"' in part
    assert "<html" not in part
    assert "from=" not in part  # there is no more


def test_totals_count_states_and_groups(web1: Server, web2: Server, db1: Server) -> None:
    enrolled("srv-alone")
    report(web1, 5)
    Server.objects.filter(pk=db1.pk).update(state=states.SILENT)
    totals = fleet_totals.totals(Server.objects.all())
    counted = {"up": 1, "warning": 0, "critical": 0, "silent": 1, "waiting": 2}
    assert (totals.servers, totals.standing) == (4, counted)
    assert totals.attention == 3
    assert [(group.name, group.glyph, group.servers) for group in totals.groups] == [
        ("db", "silent", 1),
        ("web", "queued", 2),
    ]


def test_names_from_agents_are_shown_safely(as_viewer: Client, web1: Server) -> None:
    Server.objects.filter(pk=web1.pk).update(hostname="<img src=x>\u202e\n", labels={"<b>": '"><script>'})
    report(web1, 5, top="</td><script>")
    page = as_viewer.get("/").content.decode()
    assert "<img" not in page
    assert "<script>" not in page
    assert "\u202e" not in page


def test_the_palette_finds_only_in_scope(as_viewer: Client, as_outsider: Client, web1: Server) -> None:
    def found(client: Client) -> list[str]:
        page: Any = client.get("/search/?q=web", headers={"HX-Request": "true"}).content.decode()
        return re.findall(r'data-href="([^"]*)"', page)

    processes = "/processes/?q=web"  # where anybody may look for them, in their own scope
    assert found(as_viewer) == ["/servers/srv-web-01/", processes]
    assert found(as_outsider) == [processes]
    assert "srv-web-01" in as_viewer.get("/search/?q=web").content.decode()  # without scripts a page


def test_only_admins_make_keys(as_viewer: Client, as_operator: Client, as_admin: Client, web1: Server) -> None:
    asked = {"uses": "1", "minutes": "60", "group": ""}
    for client in (as_viewer, as_operator):
        assert "An administrator can make" in client.get("/add/").content.decode()
        assert client.post("/add/", asked).status_code == 403
    page = as_admin.post("/add/", asked).content.decode()
    assert re.search(
        r"curl -fsSL http://testserver/agent/install\.sh \| sudo sh -s -- --hub \S+ --key pme\S+</code>", page
    )


def test_a_wrong_form_makes_no_key_and_says_why(as_admin: Client, web1: Server) -> None:
    page = as_admin.post("/add/", {"uses": "0", "minutes": "61", "group": "999999999"}).content.decode()
    assert "--key" not in page
    assert page.count('aria-invalid="true"') == 3


def test_the_empty_fleet_shows_how_to_begin(as_admin: Client) -> None:
    assert "Add your first server" in as_admin.get("/").content.decode()
