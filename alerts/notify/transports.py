"""How a notice gets to a contact: a class a kind, each with one `send`, which returns or raises DeliveryError."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any, Protocol

from alerts.notify import apprise_transport, mailing, models, posting
from alerts.notify.messages import Message
from alerts.notify.models import Contact

COLOURS = {"critical": "#b3261e", "warning": "#a15c00", "": "#14559c"}  # the bar beside a Slack message


class Transport(Protocol):
    """One kind of contact."""

    def send(self, contact: Contact, message: Message) -> None:
        """Bring the message there. Raises DeliveryError."""


class Email:
    """Plain text with a minimal HTML beside it, through the hub's own mail server."""

    def send(self, contact: Contact, message: Message) -> None:
        mailing.send(contact.address, message)


class Slack:
    """An incoming webhook of Slack, or of what speaks like it."""

    def send(self, contact: Contact, message: Message) -> None:
        posting.post(contact.address, _json(slack_body(message)), {}, contact.allow_internal)


class Webhook:
    """JSON, signed with the contact's secret, so that the receiver knows that it is the hub that speaks."""

    def send(self, contact: Contact, message: Message) -> None:
        body = _json(message.data)
        headers = {
            "X-Pmonitor-Notice": str(message.number),  # the same when it is sent again
            "X-Pmonitor-Signature": signature(contact.secret, body, int(time.time())),
        }
        posting.post(contact.address, body, headers, contact.allow_internal)


class Apprise:
    """Whatever Apprise speaks."""

    def send(self, contact: Contact, message: Message) -> None:
        apprise_transport.send(contact.address, message, contact.allow_internal)


TRANSPORTS: dict[str, Transport] = {
    models.EMAIL: Email(),
    models.SLACK: Slack(),
    models.WEBHOOK: Webhook(),
    models.APPRISE: Apprise(),
}


def send(contact: Contact, message: Message) -> None:
    """Send by the contact's kind. Raises DeliveryError."""
    TRANSPORTS[contact.kind].send(contact, message)


def signature(secret: str, body: bytes, at: int) -> str:
    """The signature header of a webhook: t=seconds since 1970, v1=HMAC-SHA256 of "t.body" in hexadecimal digits."""
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={signed}"


def slack_body(message: Message) -> dict[str, Any]:
    """What Slack shows: the title, below it what is known, and links. Names of hosts and rules make nothing happen."""
    said = "\n".join(f"*{_escaped(line.label)}*: {_escaped(line.value)}" for line in message.lines)
    links = "   ".join(f"<{link.url}|{_escaped(link.word)}>" for link in message.links)
    colour = COLOURS["" if message.good else message.severity]
    text = "\n".join(part for part in (_escaped(message.intro), said, links) if part)
    section = {"type": "section", "text": {"type": "mrkdwn", "text": text[:2_900]}}
    return {"text": _escaped(message.title), "attachments": [{"color": colour, "blocks": [section]}]}


def _escaped(text: str) -> str:
    """As Slack wants it; then no text makes a link, a mention or a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode()
