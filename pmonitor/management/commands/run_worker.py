"""manage.py run_worker: run the worker's steps until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from pmonitor import logs, worker

log = logs.get(__name__)


class Command(BaseCommand):
    help = "Runs the worker's steps until it is told to stop; any number of workers may run at once."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            # In a thread: the main one may hold the event's lock just now, being about to wait for it.
            signal.signal(number, lambda *_: threading.Thread(target=stop.set).start())
        log.info("worker.started", steps=len(worker.STEPS))
        worker.run(stop)
        log.info("worker.stopped")
