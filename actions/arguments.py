"""What each verb takes besides its target, checked where a command is asked for. Pure data and functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from actions import processes, states
from servers.wire import LONG, WHOLE

BOOT_ID_LENGTH = 255  # characters
FOR_SEC = (60, 86_400)  # how long a service may be stopped for


def _for_sec(args: dict[str, Any], required: bool) -> dict[str, str]:
    wrong = {name: _("is unknown") for name in args if name != "forSec"}
    if ("forSec" in args or required) and not _is_whole(args.get("forSec"), *FOR_SEC):
        wrong["forSec"] = _("must be a whole number from %(least)s to %(most)s") % {
            "least": FOR_SEC[0],
            "most": FOR_SEC[1],
        }
    return wrong


# verb -> what is wrong with its arguments, by the field's name on the wire; a verb that is not here takes none
CHECKS: dict[str, Callable[[dict[str, Any]], dict[str, str]]] = {
    states.STOP: lambda args: _for_sec(args, required=False),  # with it: for a time
    states.EXTEND: lambda args: _for_sec(args, required=True),
}


def wrong(cmd: str, args: dict[str, Any]) -> dict[str, str]:
    """What is wrong with a verb's arguments, by field ("args.forSec"); empty when they are right."""
    check = CHECKS.get(cmd)
    if check is not None:
        return {f"args.{name}": sentence for name, sentence in check(args).items()}
    return {"args": _("%(cmd)s takes no arguments") % {"cmd": cmd}} if args else {}


def _process(args: dict[str, Any]) -> dict[str, str]:
    """Which process is meant: {"bootId", "pid", "startTicks"}."""
    wrong = {}
    boot_id = args.get("bootId")
    if not isinstance(boot_id, str) or not 0 < len(boot_id) <= BOOT_ID_LENGTH or "\0" in boot_id:
        wrong["bootId"] = _("must be the boot id that the server reported")
    for name, most in (("pid", WHOLE), ("startTicks", LONG)):
        if not _is_whole(args.get(name), 0, most):
            wrong[name] = _("must be a whole number from %(least)s to %(most)s") % {"least": 0, "most": most}
    return wrong


def _signal(args: dict[str, Any]) -> dict[str, str]:
    wrong = _process(args)
    if args.get("signal") not in processes.SIGNALS:
        wrong["signal"] = _("must be one of %(verbs)s") % {"verbs": ", ".join(processes.SIGNALS)}
    return wrong


def _renice(args: dict[str, Any]) -> dict[str, str]:
    least, most = processes.NICE
    wrong = _process(args)
    if not _is_whole(args.get("nice"), least, most):
        wrong["nice"] = _("must be a whole number from %(least)s to %(most)s") % {"least": least, "most": most}
    return wrong


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


CHECKS |= {states.SIGNAL: _signal, states.RENICE: _renice}
