from __future__ import annotations

import os
import secrets
from typing import Any

from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction
from django.db.models import Q

from pmonitor import access

NAME = "admin"
VARIABLE = "PMONITOR_ADMIN_PASSWORD"
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that look alike
LOCK = 0x504D_0001  # two that start at once make one admin


class Command(BaseCommand):
    help = f"Make the first admin; the password is generated and shown once, or taken from {VARIABLE}."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            connection.cursor().execute("select pg_advisory_xact_lock(%s)", [LOCK])
            there = User.objects.filter(Q(is_superuser=True) | Q(groups__name=access.ADMIN), is_active=True).first()
            if there:
                self.stdout.write(f"An admin exists: {there.username}. Another password: manage.py changepassword")
                return
            given = os.environ.get(VARIABLE, "")
            password = given or generated()
            make(password)
            # Before the commit: an admin whose password nobody could read must not come to be.
            self.stdout.write(f"User {NAME}, password as in {VARIABLE}." if given else box(password))
            self.stdout.flush()


def make(password: str) -> None:
    """Make the user admin: superuser, and in the group admin. Raises CommandError for a password too weak."""
    user = User(username=NAME, is_staff=True, is_superuser=True)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise CommandError(f"{VARIABLE} is too weak: {' '.join(error.messages)}") from error
    user.set_password(password)
    user.save()
    user.groups.add(Group.objects.get(name=access.ADMIN))


def generated() -> str:
    """A password of 20 letters and digits, some 98 bits."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(5)) for _ in range(4))


def box(password: str) -> str:
    """The user and password so that they are not overlooked; plain ASCII, for every terminal."""
    lines = ["Sign in with", f"  user      {NAME}", f"  password  {password}", "This is shown only once."]
    rule = "+" + "-" * 44 + "+"
    return "\n".join([rule, *(f"| {line:<42} |" for line in lines), rule])
