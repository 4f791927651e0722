"""Keeps 3 MB out of the agent's memory: requests loads tables for guessing the language of web pages.

The agent only ever reads JSON. Import this before requests.
"""

from __future__ import annotations

import sys
from types import ModuleType


def _always_utf8(_content: bytes) -> dict[str, str]:
    return {"encoding": "utf-8"}


def _without_charset_tables() -> None:
    stand_in = ModuleType("chardet")
    stand_in.__dict__.update(__version__="4.0.0", detect=_always_utf8)
    sys.modules.setdefault("chardet", stand_in)
    sys.modules.setdefault("charset_normalizer", None)  # type: ignore[arg-type]  # None: cannot be imported


if "requests" not in sys.modules:
    _without_charset_tables()
