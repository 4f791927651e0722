"""What is announced reaches the pages: once, in order, only what changed, and not too often."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connections, transaction

from pmonitor import live
from pmonitor.live import Topic, View
from tests.frame.toy_topic import Page, Toy, announce, announced, played

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_page_that_shows_the_newest_is_sent_nothing(toy: Toy, viewer: User) -> None:
    async def play() -> None:
        async with Page(viewer) as page:
            assert await page.watch(a=toy.version) == []
            assert len(await page.watch(a="older")) == 2
            assert await page.watch(a="") == await page.watch(a="older")

    played(play)


def test_only_what_changed_is_sent_and_rendered_once_for_all(toy: Toy, viewer: User) -> None:
    async def play() -> None:
        async with Page(viewer) as one, Page(viewer) as two, Page(viewer) as other:
            await one.watch(a=toy.version)
            await two.watch(a=toy.version)
            await other.watch(b=toy.version)
            toy.rendered.clear()
            toy.parts["cpu"] = "2"
            await announced("toy:a")
            assert await one.next() == await two.next() == '<b id="cpu">2 en</b>'
            assert [key for key, _, _ in toy.rendered] == ["a"]
            assert await other.quiet()

    played(play)


def test_pages_that_come_together_share_a_rendering_but_an_old_one_is_made_anew(
    toy: Toy, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        async with Page(viewer) as one, Page(viewer) as two, Page(viewer) as three:
            assert await one.watch(a="") == await two.watch(a="")
            assert len(toy.rendered) == 1
            toy.parts["cpu"] = "2"
            monkeypatch.setattr(live, "FRESH_SEC", 0.0)  # the announcement was lost
            assert '<b id="cpu">2 en</b>' in await three.watch(a="")
            monkeypatch.setattr(live, "FRESH_SEC", 60.0)
            toy.parts["cpu"] = "3"
            await announced("toy:a")
            assert [await page.next() for page in (one, two, three)] == ['<b id="cpu">3 en</b>'] * 3
            assert '<b id="cpu">3 en</b>' in await one.watch(a="")

    played(play)


def test_once_for_each_language_and_role(toy: Toy, viewer: User, operator: User) -> None:
    async def play() -> None:
        cookies = {settings.LANGUAGE_COOKIE_NAME: "ro"}
        async with Page(viewer) as one, Page(operator) as two, Page(operator, cookies=cookies) as three:
            for page in (one, two, three):
                await page.watch(a=toy.version)
            toy.rendered.clear()
            toy.parts["cpu"] = "2"
            await announced("toy:a")
            assert [await page.next() for page in (one, two, three)] == [
                '<b id="cpu">2 en</b>',
                '<b id="cpu">2 en</b>',
                '<b id="cpu">2 ro</b>',
            ]
            views = {view for _, view, _ in toy.rendered}
            assert views == {View("en", "viewer"), View("en", "operator"), View("ro", "operator")}

    played(play)


def test_a_storm_of_announcements_is_one_update_in_a_while(toy: Toy, viewer: User) -> None:
    async def play() -> None:
        async with Page(viewer) as page:
            await page.watch(a=toy.version)
            toy.rendered.clear()
            for value in range(10):
                toy.parts["cpu"] = f"x{value}"
                await announced("toy:a")
                await asyncio.sleep(0.05)
            last = ""
            while "x9" not in last:
                last = await page.next()
            times = [at for _, _, at in toy.rendered]
            assert len(times) < 10
            assert all(later - sooner > 0.25 for sooner, later in itertools.pairwise(times))

    played(play)


def test_announcing_all_means_every_topic_of_the_kind(toy: Toy, viewer: User) -> None:
    async def play() -> None:
        async with Page(viewer) as one, Page(viewer) as two:
            await one.watch(a=toy.version)
            await two.watch(b=toy.version)
            toy.parts["cpu"] = "2"
            await announced("toy:all")
            assert "2 en" in await one.next()
            assert "2 en" in await two.next()

    played(play)


def test_a_topic_that_cannot_be_shown_cuts_no_line(toy: Toy, viewer: User) -> None:
    async def play() -> None:
        async with Page(viewer) as page:
            await page.watch(a=toy.version)
            toy.parts["cpu"] = "broken"
            await announced("toy:a")
            assert await page.quiet()
            assert await page.watch(a="") == []
            toy.parts["cpu"] = "well"
            await announced("toy:a")
            assert await page.next() == '<b id="cpu">well en</b>'

    played(play)


def test_an_older_rendering_never_comes_after_a_newer(toy: Toy, viewer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, on = threading.Event(), threading.Event()

    def slow(key: str, view: View) -> tuple[str, dict[str, str]]:
        rendered = toy.render(key, view)
        if rendered[0].endswith("/1"):
            begun.set()
            on.wait(5)
        return rendered

    async def play() -> None:
        monkeypatch.setitem(live.TOPICS, "toy", Topic(lambda user, keys: keys, live.by_id(slow), every=0))
        async with Page(viewer) as page:
            await page.say({"watch": {"toy:a": ""}})
            await sync_to_async(begun.wait, thread_sensitive=False)(5)
            toy.parts["cpu"] = "2"
            await announced("toy:a")
            await asyncio.sleep(0.3)
            on.set()
            came = [await page.next() for _ in range(4)]
            assert [html for html in came if "cpu" in html] == ['<b id="cpu">1 en</b>', '<b id="cpu">2 en</b>']

    played(play)


def test_announcements_of_other_threads_arrive(toy: Toy, viewer: User) -> None:
    def elsewhere() -> None:
        announce("toy:a")
        connections.close_all()

    async def play() -> None:
        async with Page(viewer) as page:
            await page.watch(a=toy.version)
            toy.parts["cpu"] = "2"
            threading.Thread(target=elsewhere).start()
            assert await page.next() == '<b id="cpu">2 en</b>'

    played(play)


def test_what_was_rolled_back_is_not_announced(toy: Toy, viewer: User) -> None:
    def rolled_back() -> None:
        with transaction.atomic():
            live.announce("toy:a")
            transaction.set_rollback(True)

    async def play() -> None:
        async with Page(viewer) as page:
            await page.watch(a=toy.version)
            toy.parts["cpu"] = "2"
            await database_sync_to_async(rolled_back)()
            assert await page.quiet()
            await announced("toy:a")
            assert await page.next() == '<b id="cpu">2 en</b>'

    played(play)


@pytest.mark.skipif(bool(settings.REDIS_URL), reason="looks into the in-memory layer")
def test_a_layer_that_does_not_answer_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "TELL_SEC", 0.1)
    monkeypatch.setattr(get_channel_layer(), "group_send", lambda *_: asyncio.sleep(60))
    began = time.monotonic()
    announce("toy:a")
    assert time.monotonic() - began < 30


def test_the_layer_may_fail_for_a_while(toy: Toy, viewer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "AGAIN_SEC", 0.1)

    async def play() -> None:
        layer: Any = get_channel_layer()
        async with Page(viewer) as page:
            await page.watch(a=toy.version)
            await asyncio.sleep(0.1)
            (channel,) = layer.groups[live.EVENTS]
            await layer.send(channel, {"type": "changed"})  # without topics: as bad as a layer that raises
            await asyncio.sleep(0.3)
            toy.parts["cpu"] = "2"
            await announced("toy:a")
            assert await page.next() == '<b id="cpu">2 en</b>'

    played(play)
