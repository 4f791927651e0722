#!/usr/bin/env python
"""The project's commands. Without DATABASE_URL they work on the embedded database, whether the hub runs or not."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - who runs this by hand may have any
    sys.exit(f"Process Monitor needs Python 3.11 or newer; this is Python {sys.version.split()[0]}.")

import os

try:
    from django.core.management import execute_from_command_line

    from pmonitor import quickstart, standalone
except ModuleNotFoundError as error:
    sys.exit(f"{error}: use .venv/bin/python manage.py, or `make run`, which makes .venv.")


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pmonitor.settings")
    if sys.argv[1:2] == ["quickstart"]:  # starts what Django's settings need, so it runs before them
        quickstart.main(sys.argv[2:])
    else:
        with standalone.surroundings(sys.argv[1:]):
            execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
