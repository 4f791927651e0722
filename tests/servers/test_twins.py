"""Clones: where two servers have the same host name, pages tell their agent ids too."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from pmonitor.live import View
from servers import fleet_live, twins
from servers.models import Server
from tests.cast import enrolled
from tests.servers.samples import proc, store
from tests.servers.test_process_search_past import follow

pytestmark = pytest.mark.django_db
TOLD = '<small class="muted clip" title="{0}">{0}</small>'


@pytest.fixture
def clones(web1: Server, web2: Server, db1: Server) -> None:
    """web2 is called like web1, db1 by its own name, though its agent has another."""
    Server.objects.filter(pk=web2.pk).update(hostname=web1.hostname)
    Server.objects.filter(pk=db1.pk).update(hostname="other.example.org")
    for server in (web1, web2, db1):
        store(server, timezone.now(), [proc(10)])


@pytest.mark.usefixtures("clones")
def test_the_fleet_tells_them_apart(as_admin: Client) -> None:
    shown = as_admin.get("/").content.decode()
    assert TOLD.format("srv-web-02") in shown
    for unmistakable in ("srv-web-01", "srv-db-01"):  # called like its agent; the only one of its name
        assert TOLD.format(unmistakable) not in shown


@pytest.mark.usefixtures("clones")
def test_so_does_a_row_that_is_pushed(web1: Server, web2: Server) -> None:
    view = View("en", "viewer")
    (row,) = fleet_live.update_row(str(web2.pk), view, None)[1]
    assert TOLD.format("srv-web-02") in row
    web2.delete()
    enrolled("srv-web-03")
    (row,) = fleet_live.update_row(str(web1.pk), view, None)[1]
    assert "muted clip" not in row


@pytest.mark.usefixtures("clones")
@pytest.mark.parametrize("when", [{}, {"when": "hour"}, {"at": ""}])
def test_a_search_tells_them_apart(as_admin: Client, when: dict[str, str]) -> None:
    moment = {"at": timezone.now().isoformat()} if "at" in when else when
    page = "".join(answer.content.decode() for answer in follow(as_admin, {"q": "nginx", **moment}))
    assert page.count('<th scope="row"') == 3
    assert 'title="srv-web-01 (srv-web-02)"' in page
    assert '</a> <span class="muted">srv-web-02</span>' in page
    assert page.count('</a> <span class="muted">') == 1


def test_in_a_sentence() -> None:
    assert twins.told_apart("web-9.example.org", "a", twin=True) == "web-9 (a)"
    assert twins.told_apart("web-9.example.org", "a", twin=False) == "web-9"
    assert twins.told_apart("web-9", "web-9", twin=True) == "web-9"
    assert "\u202e" not in twins.told_apart("web\u202e", "a\u202e", twin=True)
