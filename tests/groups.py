"""Under xdist the tests of a file stay on one worker, in order; tests/hosts, with its one lab, is a single group."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name != "hosts":
            item.add_marker(pytest.mark.xdist_group(item.nodeid.split("::")[0]))
