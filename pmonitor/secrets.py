"""Tokens and keys: made here, shown once, kept as a short prefix and a keyed hash, compared in constant time."""

from __future__ import annotations

import secrets as random

from django.utils.crypto import constant_time_compare, salted_hmac

PREFIX_LENGTH = 12


def new(kind: str) -> tuple[str, str, str]:
    """A new secret of a kind ("pma" agent, "pmu" user, "pme" enrolment): (the secret, its prefix, its hash)."""
    secret = f"{kind}_{random.token_urlsafe(32)}"
    return secret, secret[:PREFIX_LENGTH], hash_of(secret)


def hash_of(secret: str) -> str:
    """The keyed hash that is stored, 64 hexadecimal digits."""
    return salted_hmac("pmonitor.secrets", secret, algorithm="sha256").hexdigest()


def matches(secret: str, stored: str) -> bool:
    """Whether the secret is the one whose hash is stored."""
    return constant_time_compare(hash_of(secret), stored)
