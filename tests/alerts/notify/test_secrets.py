"""Addresses and secrets of contacts: in no log at any level, whatever happens to a notice."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from alerts.models import Contact, Notification
from alerts.notify import models
from servers.models import Server
from tests.alerts.notify.making import contact, opened, rule, sent
from tests.alerts.notify.receivers import Receiver
from tests.alerts.notify.receivers import receiver as receiver


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What gets to the root logger, where the log is written; caplog hears loggers besides that write nothing."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    root, kept = logging.getLogger(), Kept()
    level = root.level
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(level)
    root.removeHandler(kept)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [models.WEBHOOK, models.SLACK, models.APPRISE])
@pytest.mark.parametrize("status", [200, 404, 500])
def test_they_are_in_no_log_and_in_no_error(
    web1: Server, receiver: Receiver, kind: str, status: int, logged: list[str]
) -> None:
    receiver.status = status
    address = receiver.url if kind != models.APPRISE else receiver.url.replace("http:", "json:")
    incident = opened(rule("r", contact(address=address, kind=kind, secret="pmw_s3cret")), web1)
    sent()
    assert len(receiver.got) == 1
    assert status == 200 or any("notify.not_sent" in line for line in logged)
    kept = [*logged, Notification.objects.get().error, Contact.objects.get().broken_why]
    kept += [str(facts) for facts in incident.entries.values_list("facts", flat=True)]
    assert not any("s3cret" in text for text in kept)
