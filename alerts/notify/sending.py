"""Worker step: sends what is due, some at a time, in threads of its own, so that a slow receiver holds up nothing.

The transaction ends before the sending begins: claim, send, and then say what came of it, each by conditional update.
"""

from __future__ import annotations

import threading
import traceback
from datetime import timedelta
from typing import Any

from django.db import close_old_connections, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from alerts import states, timeline
from alerts.models import Contact, Incident, Notification
from alerts.notify import claiming, contacts, messages, models, queueing, throttle, transports, words
from alerts.notify.failures import DeliveryError
from pmonitor import live, logs

log = logs.get(__name__)
AGAIN = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1_800, 7_200))  # after each try that failed
MOST_AT_ONCE = 4  # threads; a receiver may take 10 s
free = threading.BoundedSemaphore(MOST_AT_ONCE)


def unsent() -> QuerySet[Notification]:
    """What is to be sent, or being sent, now or later."""
    return Notification.objects.filter(state__in=(models.QUEUED, models.SENDING))


def send() -> int:
    """Begin to send what is due; returns how many threads were started. Comes back at once."""
    throttle.fold()
    started = 0
    for _contact in claiming.ready(timezone.now()):
        if not free.acquire(blocking=False):
            break
        threading.Thread(target=_in_thread, name="notices").start()
        started += 1
    return started


def work() -> int:
    """Send until nothing is due; returns how many were dealt with."""
    done = 0
    while row := claiming.claim():
        deliver(row)
        done += 1
    return done


def deliver(row: Notification) -> None:
    """Send a claimed notice, and record what came of it."""
    if claiming.must_wait(row):
        _update(row, state=models.QUEUED, due_at=timezone.now() + claiming.LATER, attempts=row.attempts - 1)
        return
    if why := claiming.unwanted(row):
        row.attempts -= 1  # it is not tried
        _unsent(row, models.FAILED if why == words.BROKEN else models.DROPPED, why)
        return
    try:
        transports.send(row.contact, messages.of(row))
    except DeliveryError as error:
        _failed(row, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it must neither end the thread nor name the address
        where = traceback.format_tb(error.__traceback__)[-3:]
        log.error("notify.failed", notice=row.pk, kind=type(error).__name__, where=where)  # noqa: TRY400
        _failed(row, DeliveryError("hub", contacts=False))
    else:
        _sent(row)


def _in_thread() -> None:
    try:
        close_old_connections()
        work()
    except Exception:
        log.exception("notify.sender_failed")  # the database is away; claims end, and a later step goes on
    finally:
        connection.close()  # back to the pool: no request ends in this thread
        free.release()


def _sent(row: Notification) -> None:
    now = timezone.now()
    with transaction.atomic():
        if not _update(row, state=models.SENT, sent_at=now, error="", facts=row.facts):
            return  # its claim ended, and another worker sends it again
        told = _incidents(row)
        Notification.objects.filter(summary=row, state=models.SENDING).update(state=models.SENT, sent_at=now)
        facts = {"contact": row.contact.name, "event": row.event}
        timeline.note(states.NOTIFIED, told, facts=facts | ({"summary": True} if row.event == models.SUMMARY else {}))
        if row.event == models.TEST:
            contacts.mended(row.contact)


def _failed(row: Notification, error: DeliveryError) -> None:
    """Try again later, or give up; what is the contact's own fault marks it."""
    last = error.permanent or row.event == models.TEST or row.attempts > len(AGAIN)
    row.facts = row.facts | {words.FAILED: error.why}
    log.info("notify.not_sent", notice=row.pk, contact=row.contact_id, why=error.why, attempt=row.attempts, last=last)
    if last:
        _unsent(row, models.FAILED, error.why)
        # A test that goes wrong must not take away what is still tried.
        if error.permanent and error.contacts and not (row.event == models.TEST and _waiting(row.contact).exists()):
            _break(row.contact, error.why)
        return
    wait = max(AGAIN[row.attempts - 1], timedelta(seconds=error.retry_after or 0))
    with transaction.atomic():
        if _update(row, state=models.QUEUED, due_at=timezone.now() + wait, error=error.why, facts=row.facts):
            _folded(row).update(state=models.QUEUED)


def _break(contact: Contact, why: str) -> None:
    """Mark the contact, and let everything else that waits for it fail at once."""
    with transaction.atomic():
        if not contacts.broke(contact, why):
            return
        waiting = _waiting(contact).select_for_update(of=("self",))
        rows = list(waiting.select_related("incident", "contact", "summary"))
        Notification.objects.filter(pk__in=[row.pk for row in rows]).update(state=models.FAILED, error=words.BROKEN)
        queueing.untold([(row.incident, row) for row in rows if row.incident], words.BROKEN)


def _waiting(contact: Contact) -> QuerySet[Notification]:
    """What is still to be sent to it, tests aside."""
    return Notification.objects.filter(contact=contact, state=models.QUEUED).exclude(event=models.TEST)


def _unsent(row: Notification, state: str, why: str) -> None:
    with transaction.atomic():
        if not _update(row, state=state, error=why, attempts=row.attempts, facts=row.facts):
            return
        queueing.untold([(one, row) for one in _incidents(row)], why)
        _folded(row).update(state=state, error=why)


def _update(row: Notification, **columns: object) -> bool:
    """Change the notice, if it is still this claim's."""
    ours = Notification.objects.filter(pk=row.pk, state=models.SENDING, claimed_until=row.claimed_until)
    changed = bool(ours.update(**{**columns, "claimed_until": None}))
    live.announce(f"contact:{row.contact_id}", *([f"incident:{row.incident_id}"] if row.incident_id else []))
    return changed


def _folded(row: Notification) -> Any:
    return Notification.objects.filter(summary=row, state=models.SENDING)


def _incidents(row: Notification) -> list[Incident]:
    """What the notice tells of; of a summary, all that is in it. Before what is in it changes its state."""
    if row.event == models.SUMMARY:
        inside = Notification.objects.filter(summary=row, state=models.SENDING).values("incident")
        return list(Incident.objects.filter(pk__in=inside).select_related("rule", "server").order_by("pk"))
    return list(Incident.objects.filter(notifications=row).select_related("rule", "server"))
