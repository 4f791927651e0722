from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from pmonitor import quickstart


class Command(BaseCommand):
    """What `manage.py help` lists; manage.py itself starts quickstart before Django, which needs its database."""

    help = quickstart.SUMMARY

    def add_arguments(self, parser: CommandParser) -> None:
        quickstart.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        quickstart.run(options["host"], options["port"], options["data_dir"], agent=not options["no_agent"])
