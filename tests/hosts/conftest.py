"""The lab and its servers as fixtures; every test in this folder is marked `hosts`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hub import Hub
from tests.hosts.host import Host
from tests.hosts.lab import Lab, lab_or_skip

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.hosts)
            # There is one lab on a machine: parallel test runs keep these tests on one worker.
            item.add_marker(pytest.mark.xdist_group("hosts"))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """The machine's lab, without a server yet; free again for others after each file of tests."""
    lab_or_skip()
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="session")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One hub for all the servers of a run; it listens everywhere, since the lab's network comes and goes."""
    folder = tmp_path_factory.mktemp("lab") / "data"
    with Hub(folder, "--no-agent", host="0.0.0.0", called=Lab.hub_address) as running:  # noqa: S104  the tests' own
        yield running


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[Host]:
    """One booted server for the tests of a file, which leave it as they found it: on, healed and thawed."""
    (host,) = lab.boot("srv1")
    yield host
    lab.discard(host)
