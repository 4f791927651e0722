"""E-mail over TLS, through a real mail server with a real certificate."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from alerts.models import Contact, Notification
from alerts.notify import models
from servers.models import Server
from tests.alerts.notify.making import notices, opened, rule, sent
from tests.alerts.notify.receivers import Mailer, mail_server
from tests.alerts.notify.test_mailing import ops

pytestmark = pytest.mark.django_db


class Certificate(NamedTuple):
    """One for 127.0.0.1 that vouches for itself, and what a server shows of it."""

    file: Path
    context: ssl.SSLContext


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    folder = tmp_path_factory.mktemp("tls")
    key, crt = folder / "key.pem", folder / "crt.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    named = ["-subj", "/CN=mail.example.net", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*made, *named, "-keyout", key, "-out", crt], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    return Certificate(crt, context)


def through(server: Mailer, web1: Server, settings: Any, *, secure: bool = False) -> None:
    """A notice of an incident, by this mail server."""
    settings.SMTP, settings.SMTP_FROM = server.mail._replace(secure=secure), "hub@monitor.example.net"
    opened(rule("r", ops()), web1)
    sent()


def begun_in_plain(certificate: Certificate) -> dict[str, Any]:
    return {"tls_context": certificate.context, "require_starttls": True}


def test_a_password_goes_over_tls_that_was_begun(
    web1: Server, settings: Any, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    with mail_server("hub", **begun_in_plain(certificate)) as server:
        through(server, web1, settings)
    assert [mail.rcpt_tos for mail in server.post.mails] == [["ops@example.net"]]
    assert notices() == [("opened", "sent")]


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_and_over_tls_from_the_first_byte_on(
    web1: Server, settings: Any, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    with mail_server("hub", ssl_context=certificate.context, auth_require_tls=False) as server:
        through(server, web1, settings, secure=True)
    assert len(server.post.mails) == 1
    assert notices() == [("opened", "sent")]


@pytest.mark.parametrize("secure", [False, True], ids=["begun", "from the first byte on"])
def test_a_server_that_cannot_prove_who_it_is_gets_neither_password_nor_mail(
    web1: Server, settings: Any, certificate: Certificate, secure: bool
) -> None:
    options = {"ssl_context": certificate.context} if secure else begun_in_plain(certificate)
    with mail_server("hub", **options) as server:
        through(server, web1, settings, secure=secure)
    assert server.post.mails == []
    row = Notification.objects.get()
    assert (row.state, row.error) == (models.QUEUED, "tls")
    assert Contact.objects.get().broken_at is None


def test_without_a_password_any_encryption_is_better_than_none(
    web1: Server, settings: Any, certificate: Certificate
) -> None:
    with mail_server(**begun_in_plain(certificate)) as server:
        through(server, web1, settings)
    assert len(server.post.mails) == 1
