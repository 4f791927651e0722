from __future__ import annotations

import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from pmonitor import worker
from pmonitor.asgi import application
from pmonitor.web import Web
from servers import hub_absences


class Command(BaseCommand):
    help = "Serve pages, agents and sockets, with the worker's steps in a thread; SIGTERM ends it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="the port to listen on (default: %(default)s)")
        parser.add_argument("--no-worker", action="store_true", help="leave the steps to run_worker processes")

    def handle(self, *args: Any, **options: Any) -> None:
        web = Web(application, options["host"], options["port"])
        try:
            listening = web.listen()
        except OSError as error:
            why = (error.strerror or str(error)).partition(" (while")[0]
            raise CommandError(f"It cannot listen on {options['host']}, port {options['port']}: {why}.") from error
        stop = threading.Event()
        steps = threading.Thread(target=worker.run, args=[stop], name="worker", daemon=True)
        beats = threading.Thread(target=hub_absences.keep_beating, args=[stop], name="beats", daemon=True)
        beats.start()  # before the first report is taken
        if not options["no_worker"]:
            steps.start()
        web.run([listening])
        stop.set()
        for thread in (beats, steps):
            if thread.is_alive():
                thread.join(5)
