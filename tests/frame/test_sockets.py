"""The pages' socket: who gets one, what may be watched, and how it ends."""

from __future__ import annotations

import asyncio
import socket
from importlib import import_module

import pytest
from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, Group, User
from django.test import Client

from pmonitor import access, live, sockets
from tests.actions.web_process import web_process
from tests.frame.toy_topic import Page, Toy, announced, played

pytestmark = pytest.mark.django_db(transaction=True)


def test_nobody_without_a_role_gets_a_line(toy: Toy, nobody: User) -> None:
    async def play() -> None:
        for user in (AnonymousUser(), nobody):
            async with Page(user) as page:
                assert await page.closed() == sockets.NOT_SIGNED_IN

    played(play)


def test_language_of_the_browser_counts_without_a_cookie(toy: Toy, viewer: User) -> None:
    async def play() -> None:
        async with Page(viewer, headers=[(b"accept-language", b"de, ro-RO;q=0.8, en;q=0.1")]) as page:
            assert '<b id="cpu">1 ro</b>' in await page.watch(a="")

    played(play)


def test_out_of_scope_and_unknown_topics_are_not_watched(toy: Toy, viewer: User) -> None:
    async def play() -> None:
        async with Page(viewer) as page:
            assert await page.watch(secret="") == []
            await page.say({"watch": {"nonsense:1": "", "toys": "x"}})
            assert await page.next() == sockets.HEARD
            toy.parts["cpu"] = "2"
            await announced("toy:secret", "nonsense:1")
            assert await page.quiet()

    played(play)


@pytest.mark.parametrize("words", ["{", "[]", "\x00", "3", '{"watch": 3}', '{"watch": {"toy:a": null}, "leave": 3}'])
def test_other_words_than_our_pages_do_no_harm(toy: Toy, viewer: User, words: str) -> None:
    async def play() -> None:
        async with Page(viewer) as page:
            await page.socket.send_to(words)
            assert len(await page.watch(a="")) == 2

    played(play)


def test_the_line_of_a_page_with_nothing_new_is_heard(as_admin: Client) -> None:
    who = f"Origin: http://localhost\r\nCookie: sessionid={as_admin.cookies['sessionid'].value}"
    upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + "a" * 22
    masked = b"\x81\x8e" + bytes(4) + b'{"alive":true}'
    with web_process() as web, socket.create_connection(("127.0.0.1", web.port), 10) as line:
        line.sendall(f"GET /ws HTTP/1.1\r\nHost: localhost\r\n{who}\r\n{upgrade}==\r\n\r\n".encode())
        came = line.makefile("rb")
        assert b" 101 " in came.readline()
        while came.readline() != b"\r\n":
            pass
        line.sendall(masked)
        assert came.read(3) == b"\x81\x01" + sockets.HEARD.encode()


def test_a_page_is_sent_nothing_of_what_it_left(toy: Toy, viewer: User) -> None:
    async def play() -> None:
        async with Page(viewer) as page:
            await page.watch(a=toy.version)
            await page.say({"leave": ["toy:a"]})
            assert await page.next() == sockets.HEARD
            toy.parts["cpu"] = "2"
            await announced("toy:a")
            assert await page.quiet()
        assert live.broadcast.sockets() == 0

    played(play)


def test_a_socket_that_is_cut_is_forgotten(toy: Toy, viewer: User) -> None:
    async def play() -> None:
        page = await Page(viewer).__aenter__()
        await page.watch(a=toy.version)
        assert live.broadcast.sockets() == 1
        page.socket.future.cancel()  # as the server does to one that takes too long to end
        await asyncio.wait([page.socket.future])
        assert live.broadcast.sockets() == 0

    played(play)


def test_who_loses_the_role_or_signs_out_is_sent_away(toy: Toy, viewer: User, operator: User) -> None:
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session.create()

    async def play() -> None:
        async with Page(viewer) as one, Page(operator, session=session) as two:
            await one.watch(a=toy.version)
            await two.watch(a=toy.version)
            await database_sync_to_async(viewer.groups.clear)()
            await database_sync_to_async(session.delete)(session.session_key)
            for page in (one, two):
                await page.say({"watch": {"toy:a": ""}})
                assert await page.closed() == sockets.NOT_SIGNED_IN
            assert live.broadcast.sockets() == 0

    played(play)


def test_what_left_the_scope_is_sent_no_more(toy: Toy, viewer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        async with Page(viewer) as page:
            await page.watch(a=toy.version)
            monkeypatch.setitem(
                live.TOPICS, "toy", live.TOPICS["toy"]._replace(may_watch=lambda user, keys: keys - {"a"})
            )
            await page.watch(b=toy.version)  # a page of somebody's own, which does not ask for a again
            toy.parts["cpu"] = "2"
            await announced("toy:a")
            assert await page.quiet()

    played(play)


def test_another_role_is_shown_its_own_view_only(toy: Toy, viewer: User) -> None:
    operators, _made = Group.objects.get_or_create(name=access.OPERATOR)

    async def play() -> None:
        async with Page(viewer) as page:
            await page.watch(a=toy.version)
            await database_sync_to_async(viewer.groups.set)([operators])
            await page.watch(a=toy.version)
            assert [view.role for _topic, view in live.broadcast.watched] == [access.OPERATOR]

    played(play)


def test_a_page_that_never_says_anything_is_let_go(toy: Toy, viewer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> None:
        async with Page(viewer) as page:
            await page.watch(a=toy.version)
            monkeypatch.setattr(sockets, "LEASE_SEC", 0.0)
            toy.parts["cpu"] = "2"
            await announced("toy:a")
            assert await page.closed() == sockets.COME_AGAIN

    played(play)


def test_what_pages_have_open_is_noted_at_once_again_and_no_longer_than_they_have_it(
    toy: Toy, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[set[str]] = []
    monkeypatch.setattr(live, "LOOK_SEC", 0.2)
    monkeypatch.setitem(live.TOPICS, "toy", live.TOPICS["toy"]._replace(looked_at=looks.append))

    async def noted(count: int) -> None:
        while len(looks) < count:
            await asyncio.sleep(0.02)

    async def play() -> None:
        async with Page(viewer) as one, Page(viewer) as two:
            await one.watch(a=toy.version)
            await asyncio.wait_for(noted(1), 30)
            await two.watch(b=toy.version, secret="")
            await asyncio.wait_for(noted(len(looks) + 3), 30)
            assert looks[0] == {"a"}
            assert looks[-1] == {"a", "b"}
            await two.say({"leave": ["toy:b"]})
            assert await two.next() == sockets.HEARD
            await asyncio.wait_for(noted(len(looks) + 2), 30)
            assert looks[-1] == {"a"}
        looks.clear()
        await asyncio.sleep(0.6)
        assert looks == []

    played(play)


def test_a_look_that_cannot_be_noted_does_not_end_the_others(
    toy: Toy, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[set[str]] = []

    def fails(keys: set[str]) -> None:
        looks.append(keys)
        raise OSError

    monkeypatch.setattr(live, "LOOK_SEC", 0.05)
    monkeypatch.setitem(live.TOPICS, "toy", live.TOPICS["toy"]._replace(looked_at=fails))

    async def play() -> None:
        async with Page(viewer) as page:
            await page.watch(a=toy.version)
            while len(looks) < 3:
                await asyncio.sleep(0.02)
            toy.parts["cpu"] = "2"
            await announced("toy:a")
            assert "2 en" in await page.next()

    played(play)
