"""Notices go out at once here; test_gathering.py tests that they wait a moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alerts.notify import queueing


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queueing, "GATHER", timedelta(0))
