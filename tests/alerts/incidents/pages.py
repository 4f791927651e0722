"""Reads pages of incidents in their tests."""

from __future__ import annotations

import re
from typing import Any

from django.test import Client

LIST = "/alerts/"


def text(answer: Any, status: int = 200) -> str:
    """The page that answered with this status."""
    assert answer.status_code == status
    return str(answer.content.decode())


def titles(client: Client, address: str = LIST) -> list[str]:
    """The titles of the list's rows, in order."""
    return re.findall(r'<th scope="row">.*?<a class="clip"[^>]*>([^<]*)</a>', text(client.get(address)))


def words(html: str) -> str:
    """Its text alone, on one line."""
    return re.sub(r" ([.,])", r"\1", " ".join(re.sub(r"<[^>]*>", " ", html).split()))
