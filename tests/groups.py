"""Under xdist: which tests stay together on one worker, and which start first.

The tests of a file share what they started; tests/hosts and tests/e2e share the machine's one lab, tests/browser one
hub. A scheduler of our own, because xdist's groups do nothing under pytest 9.2, where a test's id cannot be changed.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

TOGETHER = {"tests/hosts": "lab", "tests/e2e": "lab", "tests/browser": "browser"}
LONG = ("e2e", "hosts", "browser")  # marks


class ByFile(LoadScopeScheduling):
    """Hands out whole files, or whole folders of those above."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::")[0]
        return TOGETHER.get("/".join(path.split("/")[:2]), path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """xdist asks for the scheduler here."""
    return ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that no worker waits for them at the end."""
    items.sort(key=lambda item: not any(item.get_closest_marker(mark) for mark in LONG))
