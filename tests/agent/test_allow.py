"""What the owner of a server lets the hub do."""

from __future__ import annotations

import pytest

from agent.allow import UNIT_NAME, Allow


@pytest.mark.parametrize(
    ("entries", "verb", "unit", "permitted"),
    [
        ("", "restart", "nginx.service", False),
        ("restart:nginx.service", "restart", "nginx.service", True),
        ("restart:nginx.service", "stop", "nginx.service", False),
        ("restart:nginx.service", "restart", "nginx.service.d", False),
        ("restart,reload:nginx.service start:app-*.service", "reload", "nginx.service", True),
        ("restart,reload:nginx.service start:app-*.service", "start", "app-7.service", True),
        ("restart,reload:nginx.service start:app-*.service", "start", "nginx.service", False),
        ("*:*", "stop", "anything", True),
        ("*:*", "kill", "anything", False),
        ("stop:Nginx.service", "stop", "nginx.service", False),
        ("stop:jobs:one", "stop", "jobs:one", True),
    ],
)
def test_only_what_an_entry_names_is_permitted(entries: str, verb: str, unit: str, permitted: bool) -> None:
    assert Allow(entries).permits(verb, unit) is permitted


def test_verbs_are_those_both_sides_can() -> None:
    assert Allow("stop,reload:a").verbs(("start", "stop", "restart"), "a") == ["stop"]


@pytest.mark.parametrize("entry", ["nginx.service", "restart:", ":nginx", "restrat:nginx", "restart,:nginx"])
def test_a_wrong_entry_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match=repr(entry)[1:-1]):
        Allow("stop:ok " + entry)


@pytest.mark.parametrize("name", ["-H", "--root=/x", "a b", "a;b", "a/b", "", "a\nb", "a" * 256, "*.service"])
def test_a_name_that_a_tool_could_misread_is_no_unit_name(name: str) -> None:
    assert not UNIT_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["nginx.service", "getty@tty1.service", r"dev-disk\x2d1.service", "jobs:one", "a-b_c"])
def test_real_names_are_unit_names(name: str) -> None:
    assert UNIT_NAME.fullmatch(name)
