"""Under xdist: which tests stay together on one worker, and which start first.

The tests of a file share what they started; those on lab servers share the machine's one lab, tests/browser one hub.
A scheduler of our own, because xdist's groups do nothing under pytest 9.2, where a test's id cannot be changed.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

TOGETHER = (  # the beginning of a test's path -> what it belongs to
    ("tests/hosts/", "lab"),
    ("tests/e2e/test_real_server", "lab"),
    ("tests/e2e/test_rollout", "lab"),
    ("tests/browser/", "browser"),
)
LONG = ("tests/hosts/", "tests/browser/", "tests/e2e/", "tests/agent/", "tests/frame/", "")  # the longest first


class ByFile(LoadScopeScheduling):
    """Hands out whole files, or all together that belongs together."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::")[0]
        return next((name for begin, name in TOGETHER if path.startswith(begin)), path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFile:
    """xdist asks for the scheduler here."""
    return ByFile(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that no worker waits for them at the end."""
    items.sort(key=lambda item: next(place for place, begin in enumerate(LONG) if item.nodeid.startswith(begin)))
