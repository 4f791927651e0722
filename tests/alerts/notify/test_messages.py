"""What notices say, to whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts import states
from alerts.models import Incident, Notification
from alerts.notify import messages, models, told, transports
from servers.models import Server
from tests.actions.making import newest
from tests.alerts.notify.making import contact, opened, rule, sent
from tests.alerts.notify.receivers import Receiver
from tests.alerts.notify.receivers import receiver as receiver

pytestmark = pytest.mark.django_db
ROSE = {"name": "postgres", "cpu": 93.4, "memMB": 1204, "rose": True}
FOUND = {"processes": {"rows": [{"name": "idle", "cpu": 1.0}, ROSE]}}


def message(**columns: Any) -> messages.Message:
    """The message of the newest notice."""
    Incident.objects.update(**columns)
    return messages.of(Notification.objects.select_related("contact").order_by("-pk")[0])


def said(told: messages.Message) -> dict[str, str]:
    return {line.label: line.value for line in told.lines}


def test_the_process_is_named(web1: Server) -> None:
    opened(rule("r", contact()), web1)
    assert "Process" not in said(message())
    newest(web1, top_name="java\x1b", top_cpu=87.2)
    assert said(message())["Process"] == "java␛, 87% CPU"
    assert said(message(capsule=FOUND))["Process"] == "postgres, 93% CPU, 1,204 MB"


def test_a_percentage_is_written_one_way_in_each_language(web1: Server) -> None:
    opened(rule("r", contact(language="ro")), web1)
    told = said(message(capsule=FOUND, value=95.0))
    assert told["Valoare"] == "95\xa0%"
    assert told["Proces"] == "postgres, 93\xa0% CPU, 1.204 MB"


def test_times_are_told_by_the_contacts_clock(web1: Server) -> None:
    hours = {"days": list(range(7)), "from": "00:00", "to": "00:00", "zone": "Europe/Bucharest"}
    opened(rule("r", contact(hours=hours)), web1)
    began = timezone.now().replace(year=2026, month=7, day=1, hour=12, minute=0, second=0, microsecond=0)
    assert said(message(began_at=began))["Since"] == "Wed 1 Jul 2026, 15:00 EEST"


def test_without_an_address_of_its_own_the_hub_sends_no_links(web1: Server, settings: Any) -> None:
    opened(rule("r", contact()), web1)
    settings.HUB_URL = ""
    assert message().links == []
    settings.HUB_URL = "https://monitor.example.net"
    assert [link.url.partition("?")[0] for link in message().links] == [
        f"https://monitor.example.net/alerts/{Incident.objects.get().uuid}/",
        "https://monitor.example.net/servers/srv-web-01/",
    ]


def test_an_end_says_how_long_it_took_and_the_worst(web1: Server) -> None:
    one = opened(rule("r", contact()), web1)
    Notification.objects.update(event=models.CLOSED)
    told = message(state=states.CLOSED, closed_at=one.began_at + timedelta(minutes=95), worst=98.25)
    assert told.good
    assert (said(told)["Took"], said(told)["Worst"]) == ("1 h 35 min", "98.2%")


def test_it_says_who_took_it_on(web1: Server) -> None:
    opened(rule("r", contact()), web1)
    assert said(message(acknowledged_by_name="Maria Ionescu"))["Taken on by"] == "Maria Ionescu"


def test_slack_gets_nothing_that_acts(web1: Server, settings: Any) -> None:
    settings.HUB_URL = "https://monitor.example.net"
    web1.hostname = "<!channel>&web"
    web1.save(update_fields=["hostname"])
    opened(rule("<https://evil.example|click>", contact()), web1)
    body = transports.slack_body(message())
    text = body["attachments"][0]["blocks"][0]["text"]["text"]
    assert "&lt;!channel&gt;&amp;web" in body["text"]
    assert "<!channel>" not in text
    assert "&lt;https://evil.example|click&gt;" in text
    assert f"<https://monitor.example.net/alerts/{Incident.objects.get().uuid}/|Incident>" in text


def test_slack_is_told_by_its_webhook(web1: Server, receiver: Receiver) -> None:
    opened(rule("r", contact(kind=models.SLACK, address=receiver.url, secret="")), web1)
    sent()
    assert b"Critical: Memory used above 90%, srv-web-01" in receiver.got[0].body


def test_an_incidents_page_is_told_what_became_of_its_notices(web1: Server, receiver: Receiver) -> None:
    receiver.status = 500
    incident = opened(rule("r", contact(address=receiver.url)), web1)
    sent()
    row = told.of(incident)[0]
    assert (row.contact, row.event, row.state, row.word, row.attempts) == ("ops", "Opened", "queued", "Waits", 1)
    assert row.why == "the receiver answered 500"
    assert row.due is not None
