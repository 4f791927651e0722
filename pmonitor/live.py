"""Live pages: the only door to the channel layer.

What happens is announced by topic (`announce("server:12", "row:12")`), a few bytes to every web process. A web process
whose pages watch the topic renders it once per language and role, and sends each page only the fragments that changed.
Delivery is at most once; a page heals itself when its socket opens and every minute.

A topic is "kind:key"; announcing the key "all" means every watched topic of the kind, "kind:key" also its parts
"kind:key/…". Each kind has a `Topic` in TOPICS, registered by its app's AppConfig.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from django.db import close_old_connections, transaction
from django.utils import translation

from pmonitor import logs

log = logs.get(__name__)
EVENTS = "live-events"  # the one group every web process with an open page is in
AGAIN_SEC = 1.0  # after the channel layer failed
TELL_SEC = 2.0  # a channel layer that does not answer must not hold up the worker
LOOK_SEC = 10.0  # between two notes of what pages have open
FRESH_SEC = 2.0  # so long pages that come one after the other are sent the same rendering
SLASH = re.compile("/")
Send = Callable[[str], Awaitable[None]]


class View(NamedTuple):
    """What a rendering may depend on: who looks, only by language and role."""

    language: str
    role: str


class Shown(NamedTuple):
    """What the pages of one topic and view were last sent: a version to compare, and parts to find changes by."""

    version: str
    parts: dict[str, Any]


# (key, view, what was shown before, or None for all of it) -> (what is shown now, the messages that bring it there)
Update = Callable[[str, View, Shown | None], tuple[Shown, list[str]]]


class Topic(NamedTuple):
    """How one kind of topic is watched and shown."""

    may_watch: Callable[[Any, set[str]], set[str]]  # (user, keys): those in the user's scope
    update: Update
    every: float = 1.0  # seconds between two updates of one topic at the most often
    looked_at: Callable[[set[str]], None] | None = None  # told each LOOK_SEC, and at once, which keys pages have open


def by_id(render: Callable[[str, View], tuple[str, dict[str, str]]]) -> Update:
    """An Update that sends the changed ones of the fragments that render makes: (version, {element id: HTML})."""

    def update(key: str, view: View, before: Shown | None) -> tuple[Shown, list[str]]:
        version, fragments = render(key, view)
        old = before.parts if before else {}
        return Shown(version, fragments), [html for name, html in fragments.items() if old.get(name) != html]

    return update


TOPICS: dict[str, Topic] = {}
loop: asyncio.AbstractEventLoop | None = None  # the web process's, for announcements out of its other threads


def announce(*topics: str) -> None:
    """Tell every web process, after the commit of the running transaction, that these topics changed."""
    transaction.on_commit(partial(_send, list(topics)), robust=True)


def _send(topics: list[str]) -> None:
    if loop is not None and loop.is_running():
        asyncio.run_coroutine_threadsafe(_tell(topics), loop)
    else:
        async_to_sync(_tell)(topics)


async def _tell(topics: list[str]) -> None:
    try:
        async with asyncio.timeout(TELL_SEC):
            await get_channel_layer().group_send(EVENTS, {"type": "changed", "topics": topics})
    except Exception:
        log.exception("live.not_announced", topics=topics)  # what was committed stays so; pages heal every minute


class Whole(NamedTuple):
    """All of a topic as it was rendered at that moment, never before what its pages were last sent."""

    at: float  # time.monotonic()
    shown: Shown
    messages: list[str]


@dataclass
class Watched:
    """One topic in one view: the pages that watch it and what they were last sent."""

    sends: set[Send] = field(default_factory=set)
    shown: Shown | None = None
    whole: Whole | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # else a page may get an older rendering after a newer


class Broadcast:
    """One a web process: the topics its pages watch, and the task that renders and sends what changed."""

    def __init__(self) -> None:
        self.watched: dict[tuple[str, View], Watched] = {}
        self.dirty: set[str] = set()
        self.sent_at: dict[str, float] = {}
        self.task: asyncio.Task[None] | None = None
        self.wake = asyncio.Event()
        self.opened = asyncio.Event()

    async def watch(self, topic: str, version: str, view: View, send: Send) -> None:
        """From now on send the page what changes in the topic; and all of it now, unless it shows this very version."""
        self._start()
        if TOPICS[topic.partition(":")[0]].looked_at and topic not in self._topics():
            self.opened.set()
        watched = self.watched.setdefault((topic, view), Watched())
        watched.sends.add(send)
        async with watched.lock:
            whole = watched.whole = await self._whole(topic, view, watched.whole)
            if whole:
                watched.shown = watched.shown or whole.shown
                if whole.shown.version != version:
                    await _deliver(whole.messages, [send])

    async def _whole(self, topic: str, view: View, known: Whole | None) -> Whole | None:
        """All of the topic, rendered anew if it may have changed; seldom enough that a lost announcement is healed."""
        now = time.monotonic()
        if known and topic not in self.dirty and now - known.at < FRESH_SEC:
            return known
        shown, messages = await _update(topic, view, None)
        return Whole(now, shown, messages) if shown else None

    def leave(self, send: Send, topic: str | None = None) -> None:
        """Forget a page that is gone, or one topic it no longer shows."""
        for key, watched in list(self.watched.items()):
            if topic is None or key[0] == topic:
                watched.sends.discard(send)
            if not watched.sends:
                del self.watched[key]
        self.sent_at = {name: at for name, at in self.sent_at.items() if name in self._topics()}

    def sockets(self) -> int:
        """How many pages watch something here; may be asked from any thread."""
        return len({send for watched in list(self.watched.values()) for send in list(watched.sends)})

    def _topics(self) -> set[str]:
        return {topic for topic, _view in self.watched}

    def _start(self) -> None:
        global loop
        loop = asyncio.get_running_loop()
        if self.task is None or self.task.done() or self.task.get_loop() is not loop:
            self.wake, self.opened = asyncio.Event(), asyncio.Event()
            self.task = loop.create_task(self._run())

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen())
                    tasks.create_task(self._keep_flushing())
                    tasks.create_task(self._keep_looking())
            except* Exception:
                log.exception("live.lost")  # the channel layer is away
            await asyncio.sleep(AGAIN_SEC)
            self.dirty |= self._topics()  # what was announced meanwhile is not known

    async def _listen(self) -> None:
        layer: Any = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(EVENTS, channel)
        while True:
            event = await layer.receive(channel)
            self.dirty |= self._meant(event["topics"])
            self.wake.set()

    def _meant(self, topics: Iterable[str]) -> set[str]:
        """The watched topics they mean: "fleet:all" all of the kind, "services:12" also its part "services:12/7"."""
        told, watched = set(topics), self._topics()
        kinds = {topic.removesuffix("all") for topic in told if topic.endswith(":all")}
        parts = {name for name in watched if any(name[: at.start()] in told for at in SLASH.finditer(name))}
        wide = {name for name in watched if f"{name.partition(':')[0]}:" in kinds} if kinds else set()
        return (told & watched) | parts | wide

    async def _keep_looking(self) -> None:
        while True:
            self.opened.clear()
            keys: dict[str, set[str]] = {}
            for kind, _, key in (topic.partition(":") for topic in self._topics()):
                keys.setdefault(kind, set()).add(key)
            for kind, open_now in keys.items():
                if looked_at := TOPICS[kind].looked_at:
                    await sync_to_async(_tried, thread_sensitive=False)(looked_at, open_now)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.opened.wait(), LOOK_SEC)

    async def _keep_flushing(self) -> None:
        while True:
            await self._flush()

    async def _flush(self) -> None:
        with suppress(TimeoutError):  # then something is due
            await asyncio.wait_for(self.wake.wait(), self._next_due())
        self.wake.clear()
        self.dirty &= self._topics()
        now = time.monotonic()
        for topic in [topic for topic in self.dirty if self._due(topic) <= now]:
            self.dirty.discard(topic)
            self.sent_at[topic] = now
            await self._bring_up_to_date(topic)

    def _due(self, topic: str) -> float:
        return self.sent_at.get(topic, 0.0) + TOPICS[topic.partition(":")[0]].every

    def _next_due(self) -> float | None:
        return max(0.0, min(map(self._due, self.dirty)) - time.monotonic()) if self.dirty else None

    async def _bring_up_to_date(self, topic: str) -> None:
        for (name, view), watched in list(self.watched.items()):
            if name == topic:
                async with watched.lock:
                    watched.whole = None
                    shown, messages = await _update(topic, view, watched.shown)
                    watched.shown = shown or watched.shown
                    await _deliver(messages, list(watched.sends))


async def _update(topic: str, view: View, before: Shown | None) -> tuple[Shown | None, list[str]]:
    kind, _, key = topic.partition(":")
    try:
        return await sync_to_async(_in_language, thread_sensitive=False)(TOPICS[kind].update, key, view, before)
    except Exception:
        log.exception("live.update_failed", topic=topic)  # the page's own slow refresh shows the trouble
        return None, []


def _in_language(update: Update, key: str, view: View, before: Shown | None) -> tuple[Shown, list[str]]:
    try:
        with translation.override(view.language):
            return update(key, view, before)
    finally:
        close_old_connections()  # no request ends here to give the thread's connection back to the pool


def _tried(looked_at: Callable[[set[str]], None], keys: set[str]) -> None:
    try:
        looked_at(keys)
    except Exception:
        log.exception("live.look_failed")  # the next one is soon
    finally:
        close_old_connections()


async def _deliver(messages: list[str], sends: list[Send]) -> None:
    for message in messages:
        await asyncio.gather(*(send(message) for send in sends), return_exceptions=True)


broadcast = Broadcast()
