"""Addresses and networks."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from servers import networks


@pytest.mark.parametrize(
    ("allowed", "address", "expected"),
    [
        ([], "", True),
        ([], "203.0.113.9", True),
        (["10.0.0.0/8"], "10.255.0.1", True),
        (["10.0.0.0/8"], "11.0.0.1", False),
        (["10.0.0.7"], "10.0.0.7", True),
        (["2001:db8::/32"], "2001:db8:1::1", True),
        (["2001:db8::/32"], "2001:db9::1", False),
        (["2001:db8::/32"], "10.0.0.1", False),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
        (["10.0.0.0/8"], "2001:db8::1", False),
        (["10.0.0.0/8", "2001:db8::/32"], "2001:db8::1", True),
        (["10.0.0.0/8"], "", False),
        (["10.0.0.0/8"], "unknown", False),
    ],
)
def test_allow(allowed: list[str], address: str, expected: bool) -> None:
    assert networks.allow(allowed, address) is expected


@pytest.mark.parametrize("good", [[], ["10.0.0.0/8"], ["10.0.0.1", "2001:db8::/32", "::1"]])
def test_good_lists_pass(good: list[str]) -> None:
    networks.validate(good)


@pytest.mark.parametrize("bad", ["10.0.0.0/8", {"a": 1}, None, ["10.0.0.1/8"], ["web"], ["10.0.0.0/33"], [[]]])
def test_bad_lists_are_refused(bad: object) -> None:
    with pytest.raises(ValidationError):
        networks.validate(bad)
