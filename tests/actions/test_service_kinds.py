"""Masked, aliased and socket-activated services: what their rows say, and how they are asked for."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from actions import ask, service_rows
from actions.models import Command
from servers.models import Server, Service
from tests.actions.making import NGINX, newest, service
from tests.actions.pages import text

pytestmark = pytest.mark.django_db


def row(one: Service) -> str:
    return service_rows.html(service_rows.one(one), "srv-web-01", acting=True)


def test_a_masked_service_says_so_and_has_no_buttons(web1: Server) -> None:
    html = row(service(web1, active_state="inactive", load_state="masked", verbs=[], can=[]))
    assert "<span>masked</span>" in html
    assert "data-act" not in html
    assert 'type="button"' not in html


def test_one_that_runs_though_masked_can_be_stopped(web1: Server) -> None:
    html = row(service(web1, load_state="masked", verbs=["stop"], can=["stop"]))
    assert "<span>active</span>" in html
    assert ">masked</span>" in html
    assert "Stop nginx.service" in html


def test_an_alias_is_shown_in_the_one_row(web1: Server) -> None:
    assert ">www.service</span>" in row(service(web1, aliases=["www.service"]))


def test_what_starts_it_is_shown(web1: Server) -> None:
    html = row(service(web1, active_state="inactive", sub_state="dead", triggered_by=["nginx.socket"]))
    assert 'title="dead · socket: Its socket (nginx.socket) starts it again on the next connection."' in html
    assert html.count('<span class="sep">socket</span>') == 2, "in its column, and under the name where that is gone"


def test_its_page_names_both(as_viewer: Client, web1: Server) -> None:
    newest(web1)
    service(web1, aliases=["www.service"], triggered_by=["nginx.socket"])
    page = text(as_viewer.get(f"/servers/srv-web-01/services/{NGINX}/"))
    assert "<dt>Also called</dt><dd>www.service</dd>" in page
    assert "<dt>Started by</dt><dd>nginx.socket</dd>" in page


def test_asking_by_an_alias_means_the_service(operator: Any, web1: Server) -> None:
    service(web1, aliases=["www.service"])
    first = ask.ask(operator, web1, "restart", "www.service")
    again = ask.ask(operator, web1, "restart", NGINX)
    assert first.command.target == NGINX
    assert (again.command, again.joined) == (first.command, True)
    assert Command.objects.count() == 1


def test_the_dialog_opens_by_an_alias_and_says_who_starts_it_again(as_operator: Client, web1: Server) -> None:
    newest(web1)
    service(web1, aliases=["www.service"], triggered_by=["nginx.socket"])
    dialog = text(as_operator.get("/servers/srv-web-01/services/www.service/stop/"))
    assert "Stop nginx.service on" in dialog
    assert "Its socket (nginx.socket) starts it again on the next connection." in dialog
    assert as_operator.get("/servers/srv-web-01/services/nothing.service/stop/").status_code == 404


def test_a_services_own_name_comes_before_anothers_alias(web1: Server) -> None:
    service(web1, "a.service", aliases=["b.service"])
    own = service(web1, "b.service")
    assert Service.objects.named("b.service").first() == own
