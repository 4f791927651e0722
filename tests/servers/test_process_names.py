"""Process names and command lines that are markup, right-to-left, emoji, with newlines or NUL: kept, never refused."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from servers import proctable
from servers.models import Newest, Server
from servers.wire import Proc
from tests.servers.reports import MINIMAL, post, proc, report, service

pytestmark = pytest.mark.django_db

NAMES = [
    '<script>alert("x")</script>',
    "'; DROP TABLE servers_server; --",
    "\u202eexe.gpj",
    "مرحبا",
    "\U0001f680\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "two\nlines\r\tand a tab",
    "(sd-pam) %s %(x)s {0}",
    "\\u0000 written out",
    "",
]


def stored(server: Server) -> list[Proc]:
    return proctable.unpack(Newest.objects.get(server=server).procs)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_kept_exactly(agent: Client, web1: Server, name: str) -> None:
    assert post(agent, report(procs=[proc(name=name, cmdline=name, user=name[:40])])).status_code == 202
    kept = stored(web1)[0]
    assert (kept.name, kept.cmdline, kept.user) == (name, name, name[:40])
    assert Newest.objects.get(server=web1).top_name == name


def test_nul_becomes_the_replacement_character(agent: Client, web1: Server) -> None:
    body = report(procs=[proc(name="a\0b")], hostname="h\0", services=[service("x\0.service", description="\0")])
    assert post(agent, body).status_code == 202
    assert stored(web1)[0].name == "a\ufffdb"
    web1.refresh_from_db()
    assert web1.hostname == "h\ufffd"
    assert web1.services.get().name == "x\ufffd.service"


@pytest.mark.parametrize(("escape", "lost"), [("\\ud800", 1), ("\\udcff", 1), ("\\udfff\\ud800", 2)])
def test_a_lone_surrogate_becomes_the_replacement_character(
    agent: Client, web1: Server, escape: str, lost: int
) -> None:
    """As a program writes a name that is no UTF-8 and that it read with surrogateescape."""
    assert post(agent, MINIMAL.replace("redis-server", f"a{escape}b")).status_code == 202
    assert stored(web1)[0].name == "a" + "\ufffd" * lost + "b"


def test_pairs_of_surrogates_stay_one_character(agent: Client, web1: Server) -> None:
    body = json.dumps(report(procs=[proc(name="\U0001f600")])).replace("1726147200,", '1726147200, "x": "\\u0000",')
    assert "\\ud83d\\ude00" in body
    assert post(agent, body).status_code == 202
    assert stored(web1)[0].name == "\U0001f600"


def test_a_name_past_its_bound_is_named(agent: Client, web1: Server) -> None:
    assert list(post(agent, report(procs=[proc(name="x" * 256)])).json()["fields"]) == ["procs[0].name"]
