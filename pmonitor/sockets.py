"""The browser's socket: it says which topics its page shows, and gets their fragments."""

from __future__ import annotations

import json
from typing import Any

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.utils import translation

from pmonitor import access, live

MOST_TOPICS = 400  # on one page


class PageConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """A page sends {"watch": {"row:12": "its version", …}, "leave": ["row:7", …]} and receives HTML fragments.

    To watch a topic again is to ask for it when the version is not the newest. Every message is answered at least with
    an empty one, so that a page whose line is dead notices.
    """

    async def connect(self) -> None:
        self.topics: set[str] = set()
        self.role = await sync_to_async(access.role_of)(self.scope["user"])
        await self.accept()  # before closing too: only so does the page learn why
        if self.role is None:
            await self.close(4401)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            said = json.loads(text_data or "")
            wanted, left = dict(said.get("watch", {})), list(said.get("leave", ()))
        except (ValueError, TypeError, AttributeError):
            return  # not our page's words; there is nobody to tell
        if self.role is None:
            return
        for topic in self.topics.intersection(map(str, left)):
            self.topics.discard(topic)
            live.broadcast.leave(self.send_html, topic)
        for topic, version in list(wanted.items())[:MOST_TOPICS]:
            await self._watch(str(topic), str(version))
        await self.send_html("")

    async def _watch(self, topic: str, version: str) -> None:
        kind, _, key = topic.partition(":")
        known = live.TOPICS.get(kind)
        if known is None or len(self.topics | {topic}) > MOST_TOPICS:
            return
        if await sync_to_async(known.may_watch)(self.scope["user"], key):
            self.topics.add(topic)
            await live.broadcast.watch(topic, version, self._view(), self.send_html)

    async def send_html(self, html: str) -> None:
        await self.send(text_data=html)

    async def disconnect(self, code: int) -> None:
        live.broadcast.leave(self.send_html)

    def _view(self) -> live.View:
        return live.View(self._language(), str(self.role))

    def _language(self) -> str:
        chosen: Any = self.scope["cookies"].get(settings.LANGUAGE_COOKIE_NAME, "")
        return chosen if chosen in dict(settings.LANGUAGES) else self._accepted()

    def _accepted(self) -> str:
        headers = dict(self.scope["headers"])
        accepted = headers.get(b"accept-language", b"").decode("latin-1")
        for code, _ in translation.trans_real.parse_accept_lang_header(accepted):
            if code.split("-")[0] in dict(settings.LANGUAGES):
                return code.split("-")[0]
        return str(settings.LANGUAGE_CODE)
