"""Run in a hub's surroundings: the people of the browser tests, and so many servers.

    python -m tests.browser.fill 60

The rules of a new hub are off: what they do by themselves would be in the way of what a test counts.
admin and operator see all servers, viewer the group "Web" alone; everybody's password is PASSWORD.
"""

from __future__ import annotations

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pmonitor.settings")
django.setup()

from django.contrib.auth.models import Group, User  # noqa: E402

from alerts.models import Rule  # noqa: E402
from alerts.rules import starter  # noqa: E402
from bench.seed import seed  # noqa: E402
from pmonitor import access  # noqa: E402
from servers.models import Scope, ServerGroup  # noqa: E402

PASSWORD = "correct-horse-battery"


def people() -> None:
    """One user for each role, named like it."""
    for role in access.ROLES:
        user = User.objects.create_user(role, password=PASSWORD, is_staff=role == access.ADMIN)
        user.groups.add(Group.objects.get(name=role))
        if role != access.ADMIN:
            scope = Scope.objects.create(user=user, everything=role == access.OPERATOR)
            scope.groups.set(ServerGroup.objects.filter(name="Web"))


if __name__ == "__main__":
    starter.make_once()
    Rule.objects.update(enabled=False)
    if int(sys.argv[1]):
        seed(int(sys.argv[1]))
    people()
