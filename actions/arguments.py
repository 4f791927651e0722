"""What each verb takes besides its target, checked where a command is asked for. Pure data and functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

# verb -> what is wrong with its arguments, by the field's name on the wire; a verb that is not here takes none
CHECKS: dict[str, Callable[[dict[str, Any]], dict[str, str]]] = {}


def wrong(cmd: str, args: dict[str, Any]) -> dict[str, str]:
    """What is wrong with a verb's arguments, by field ("args.forSec"); empty when they are right."""
    check = CHECKS.get(cmd)
    if check is not None:
        return {f"args.{name}": sentence for name, sentence in check(args).items()}
    return {"args": _("%(cmd)s takes no arguments") % {"cmd": cmd}} if args else {}
