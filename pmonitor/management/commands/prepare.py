from __future__ import annotations

import time
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from pmonitor import quickstart


class Command(BaseCommand):
    help = "Bring the tables up to date and make the first admin, in one process; quickstart runs it."

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        call_command("migrate", verbosity=0, interactive=False)
        quickstart.say(quickstart.step("Tables", f"up to date after {time.monotonic() - began:.1f} s"))
        call_command("first_admin", stdout=self.stdout)
