"""What every test of commands starts from."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from servers import presence


@pytest.fixture(autouse=True)
def _awake(monkeypatch: pytest.MonkeyPatch) -> presence.Watch:
    """The worker has been awake for a day, by a clock that nobody set."""
    watch = presence.Watch()
    watch.awake_since(timezone.now(), time.monotonic())
    watch.awake = timezone.now() - timedelta(days=1)
    monkeypatch.setattr(presence, "watch", watch)
    return watch
