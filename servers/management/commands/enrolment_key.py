"""Print a new enrolment key, alone on standard output."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from servers import enrolment
from servers.models import ServerGroup


class Command(BaseCommand):
    help = "Print a new enrolment key, with which an agent gets its own token."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--note", default="", help="what it is for, shown in the admin")
        parser.add_argument("--uses", type=int, default=1, help="how many agents may use it (default: 1)")
        parser.add_argument("--hours", type=float, default=1, help="how long it may be used (default: 1)")
        parser.add_argument("--group", help="the server group its servers join; made when there is none")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["uses"] <= 100_000:
            raise CommandError("--uses: use a whole number from 1 to 100000")
        if not 0 < options["hours"] <= 8760:
            raise CommandError("--hours: use a number above 0, 8760 (a year) at the most")
        if len(options["note"]) > 200 or len(options["group"] or "") > 80:
            raise CommandError("--note takes 200 characters, --group 80")
        group = ServerGroup.objects.get_or_create(name=options["group"])[0] if options["group"] else None
        minutes = max(1, round(options["hours"] * 60))
        self.stdout.write(enrolment.new_key(options["note"], options["uses"], minutes, group))
