"""The browser's socket: it says which topics its page shows, and gets their fragments."""

from __future__ import annotations

import json
import time
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.utils.translation.trans_real import parse_accept_lang_header

from pmonitor import access, live

MOST_TOPICS = 400  # on one page
LEASE_SEC = 180.0
NOT_SIGNED_IN, COME_AGAIN = 4401, 1012
HEARD = " "  # answers what was said; not every server sends a message of nothing at all


class PageConsumer(AsyncWebsocketConsumer):
    """A page sends {"watch": {"row:12": "its version", …}, "leave": ["row:7", …]} and receives HTML fragments.

    To watch a topic again is to ask for it when the version is not the newest. Every message is answered at least with
    a blank one, so that a page whose line is dead notices.

    Whoever signs out or loses a role or a scope gets nothing more once the page says something, and the page that says
    nothing for LEASE_SEC is let go: live.js speaks at least every minute.
    """

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.topics: set[str] = set()
        self.role: str | None = None
        try:
            await super().__call__(scope, receive, send)
        finally:
            live.broadcast.leave(self.send_html)  # however the socket ended, even cancelled

    async def connect(self) -> None:
        await self.accept()  # before closing too: only so does the page learn why
        await self._may_stay()

    async def _may_stay(self) -> bool:
        self.user = await database_sync_to_async(_person)(self.scope)
        before, self.role = self.role, access.role_of(self.user)
        self.asked_at = time.monotonic()
        if before != self.role:  # what it watched was shown as to the role before
            self._forget(set(self.topics))
        if self.role is None:
            await self.close(NOT_SIGNED_IN)
        return self.role is not None

    def _forget(self, topics: set[str]) -> None:
        for topic in topics:
            self.topics.discard(topic)
            live.broadcast.leave(self.send_html, topic)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            said = json.loads(text_data or "")
            wanted, left = dict(said.get("watch", {})), list(said.get("leave", ()))
        except (ValueError, TypeError, AttributeError):
            return  # not our page's words; there is nobody to tell
        self._forget(self.topics.intersection(map(str, left)))
        if wanted or time.monotonic() - self.asked_at > LEASE_SEC / 3:
            if not await self._may_stay():
                return
            await self._watch({str(topic): str(version) for topic, version in list(wanted.items())[:MOST_TOPICS]})
        await self.send_html(HEARD)

    async def _watch(self, versions: dict[str, str]) -> None:
        """Watch these besides; what the person may no longer see is forgotten, whether asked for or not."""
        asked = self.topics | set(versions)
        allowed = await database_sync_to_async(_allowed)(self.user, asked) if asked else set()
        self._forget(self.topics - allowed)
        for topic in versions:
            if topic in allowed and len(self.topics | {topic}) <= MOST_TOPICS:
                self.topics.add(topic)
                await live.broadcast.watch(topic, versions[topic], self._view(), self.send_html)

    async def send_html(self, html: str) -> None:
        """Send a fragment, or nothing and good-bye to a page that no longer asks."""
        if time.monotonic() - self.asked_at > LEASE_SEC:
            live.broadcast.leave(self.send_html)
            await self.close(COME_AGAIN)
        else:
            await self.send(text_data=html)

    def _view(self) -> live.View:
        return live.View(self._language(), str(self.role))

    def _language(self) -> str:
        chosen: str = self.scope["cookies"].get(settings.LANGUAGE_COOKIE_NAME, "")
        return chosen if chosen in dict(settings.LANGUAGES) else self._accepted()

    def _accepted(self) -> str:
        headers = dict(self.scope["headers"])
        accepted = headers.get(b"accept-language", b"").decode("latin-1")
        for code, _ in parse_accept_lang_header(accepted):
            if code.split("-")[0] in dict(settings.LANGUAGES):
                return str(code.split("-")[0])
        return str(settings.LANGUAGE_CODE)


def _allowed(user: Any, topics: set[str]) -> set[str]:
    """Those of the topics the user may watch; one question for each kind."""
    keys: dict[str, set[str]] = {}
    for topic in topics:
        kind, _, key = topic.partition(":")
        keys.setdefault(kind, set()).add(key)
    known = {kind: live.TOPICS[kind].may_watch for kind in keys if kind in live.TOPICS}
    return {f"{kind}:{key}" for kind, may_watch in known.items() for key in may_watch(user, keys[kind])}


def _person(scope: Any) -> User | AnonymousUser:
    """The user as the database knows them now, with their role; nobody when the session has ended."""
    user, session = scope["user"], scope.get("session")
    ended = session is not None and not (session.session_key and session.exists(session.session_key))
    found = None if ended or not user.is_authenticated else User.objects.filter(pk=user.pk).first()
    person = found or AnonymousUser()
    access.role_of(person)  # kept on the user, so that asking again needs no query
    return person
