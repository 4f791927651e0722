"""What quickstart tells its parts of itself."""

from __future__ import annotations

import os

import pytest

from pmonitor import addresses, hub_processes

ANY = "0.0.0.0"  # noqa: S104 - nothing listens


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HUB_URL", "HUB_URL_FILE", "ALLOWED_HOSTS", "ALLOWED_HOSTS_FILE"):
        monkeypatch.setenv(name, "")  # so that what is set here is taken back
        monkeypatch.delenv(name)


def test_the_hub_knows_the_address_it_serves_at() -> None:
    hub_processes.tell_own_address("127.0.0.1", 9000)
    assert os.environ["HUB_URL"] == "http://127.0.0.1:9000"


def test_one_for_other_machines_is_known_by_the_address_that_they_reach() -> None:
    hub_processes.tell_own_address(ANY, 9000)
    assert os.environ["HUB_URL"] == addresses.url_for_servers(ANY, 9000)
    assert ANY not in os.environ["HUB_URL"]


def test_what_somebody_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_URL", "https://monitor.example.net")
    hub_processes.tell_own_address("127.0.0.1", 9000)
    assert os.environ["HUB_URL"] == "https://monitor.example.net"


def test_a_hub_with_names_of_its_own_is_not_told_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "monitor.example.net")
    hub_processes.tell_own_address("127.0.0.1", 9000)
    assert "HUB_URL" not in os.environ
