"""Sends one message through the hub's mail server, in bounded time."""

from __future__ import annotations

import re
import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, parseaddr

from django.conf import settings

from alerts.notify.failures import DeliveryError
from alerts.notify.messages import Message
from alerts.notify.posting import CONNECT_SEC, TOTAL_SEC, ended_after, told_apart
from pmonitor.env import Mail

CODE = re.compile(rb"\d\.\d{1,3}\.\d{1,3}")  # all that is kept of an answer, which may name the address


def send(address: str, message: Message) -> None:
    """Send to one address. Raises DeliveryError."""
    server: Mail | None = settings.SMTP
    if server is None:
        raise DeliveryError("no mail", permanent=True, contacts=False)
    mail = _written(address, message)
    with told_apart():
        try:
            _deliver(server, address, mail)
        except smtplib.SMTPException as error:  # which is an OSError, too
            raise _told(error) from None


def _deliver(server: Mail, address: str, mail: EmailMessage) -> None:
    context, here = _context(server), settings.SMTP_FROM.rpartition("@")[2].rstrip(">")
    client = (
        smtplib.SMTP_SSL(timeout=CONNECT_SEC, context=context, local_hostname=here)
        if server.secure
        else smtplib.SMTP(timeout=CONNECT_SEC, local_hostname=here)
    )
    client._host = server.host  # type: ignore[attr-defined]  # connect() does not set it, and TLS compares names with it
    with ended_after(TOTAL_SEC, lambda: client.sock):
        try:
            _begin(client, server, context)
            client.send_message(mail, to_addrs=[address])
        finally:
            client.close()


def _begin(client: smtplib.SMTP, server: Mail, context: ssl.SSLContext) -> None:
    code, said = client.connect(server.host, server.port)
    if code != 220:
        raise smtplib.SMTPConnectError(code, said)
    client.ehlo()
    if not server.secure and client.has_extn("starttls"):
        client.starttls(context=context)
        client.ehlo()
    elif not server.secure and server.user:
        raise smtplib.SMTPNotSupportedError("no password goes over a connection that anybody can read")
    if server.user:
        client.login(server.user, server.password)


def _context(server: Mail) -> ssl.SSLContext:
    """With a password, or TLS asked for, the server must prove who it is; else any encryption is better than none."""
    context = ssl.create_default_context()
    if not server.user and not server.secure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _written(address: str, message: Message) -> EmailMessage:
    mail = EmailMessage()
    name, sender = parseaddr(settings.SMTP_FROM)
    host = sender.rpartition("@")[2]
    mail["Subject"] = message.title[:200]
    mail["From"] = Address(name, addr_spec=sender)
    mail["To"] = Address(addr_spec=address)
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<notice-{message.number}@{host}>"  # the same when it is sent again
    if message.thread:
        mail["References"] = f"<incident-{message.thread}@{host}>"  # an incident's messages are one thread
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    mail.add_alternative(message.html, subtype="html")
    return mail


def _told(error: smtplib.SMTPException) -> DeliveryError:
    """5xx of the address or the message is for good; what the hub's own settings cause is no fault of the contact."""
    if isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPNotSupportedError):
        return DeliveryError("mail login", contacts=False)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return DeliveryError(f"mail:{_answer(code, said)}", permanent=code >= 500)
    if isinstance(error, smtplib.SMTPSenderRefused):
        why = f"mail sender:{_answer(error.smtp_code, error.smtp_error)}"
        return DeliveryError(why, permanent=error.smtp_code >= 500, contacts=False)
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return DeliveryError("cut")
    if isinstance(error, smtplib.SMTPResponseException):
        return DeliveryError(f"mail:{_answer(error.smtp_code, error.smtp_error)}", permanent=error.smtp_code >= 500)
    return DeliveryError("mail:?")


def _answer(code: int, said: bytes | str) -> str:
    found = CODE.search(said if isinstance(said, bytes) else said.encode())
    return f"{code} {found[0].decode()}" if found else str(code)
