"""Taking all the open incidents that a list shows, at once: which those are, and no more than were seen."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from alerts import person_moves
from alerts.incidents import list_page, shown
from alerts.incidents.list_page import Asked
from alerts.models import Incident
from pmonitor.problems import bad
from servers.models import Server

LISTED = 8  # named in the question


def context(user: Any, wanted: Asked) -> dict[str, Any]:
    """What the question says: how many, the first of them, and the number of the newest."""
    found = _untaken(user, wanted)
    count = found.count()
    first = shown.all_of(shown.fetched(shown.worst_first(found))[:LISTED])
    last = found.order_by("-pk").values_list("pk", flat=True).first()
    return {
        "count": count,
        "first": first,
        "more": count - len(first),
        "upto": last or 0,
        "asked": wanted,
        "back": back(wanted),
    }


def take(user: Any, wanted: Asked, upto: str, address: str | None) -> int:
    """Take those up to that number: what came after the question was asked, nobody has looked at. Returns how many.

    A Problem where `upto` is no number.
    """
    if not upto.isdecimal() or len(upto) > 18:
        raise bad({"upto": _("must be the number of the newest incident that you were shown")})
    found: list[Incident] = list(_untaken(user, wanted).filter(pk__lte=int(upto)).order_by("pk"))
    return person_moves.acknowledge_many(user, found, address)


def back(wanted: Asked) -> str:
    """The list it was asked from."""
    page = reverse("incidents:list")
    return f"{page}?{wanted.kept}" if wanted.kept else page


def _untaken(user: Any, wanted: Asked) -> Any:
    found = list_page.matching(user, wanted._replace(tab=list_page.OPEN))
    return found.untaken_on(Server.objects.visible_to(user))
