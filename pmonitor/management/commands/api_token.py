"""manage.py api_token USER [--name NAME]: make a token for a user's programs."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from pmonitor import tokens


class Command(BaseCommand):
    help = "Prints a new API token of a user, alone on standard output; it is shown only this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user")
        parser.add_argument("--name", default="", help="what the token is for")

    def handle(self, *args: Any, user: str, name: str, **options: Any) -> None:
        owner = User.objects.filter(username=user).first()
        if owner is None:
            raise CommandError(f"There is no user named {user}.")
        self.stdout.write(tokens.new(owner, name[:80]))
