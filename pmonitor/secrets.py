"""Tokens and keys: made here, shown once, kept as a short prefix and a keyed hash, compared in constant time."""

from __future__ import annotations

import hmac
import secrets as random
from functools import lru_cache
from hashlib import sha256

from django.conf import settings
from django.utils.crypto import constant_time_compare

PREFIX_LENGTH = 12


def new(kind: str) -> tuple[str, str, str]:
    """A new secret of a kind ("pma" agent, "pmu" user, "pme" enrolment): (the secret, its prefix, its hash)."""
    secret = f"{kind}_{random.token_urlsafe(32)}"
    return secret, secret[:PREFIX_LENGTH], hash_of(secret)


def hash_of(secret: str) -> str:
    """The keyed hash that is stored, 64 hexadecimal digits."""
    return hmac.digest(_key(settings.SECRET_KEY), secret.encode(), "sha256").hex()


@lru_cache(maxsize=1)
def _key(secret_key: str) -> bytes:
    """As django.utils.crypto.salted_hmac makes it, once and not in each of an agent's calls."""
    return sha256(f"pmonitor.secrets{secret_key}".encode()).digest()


def matches(secret: str, stored: str) -> bool:
    """Whether the secret is the one whose hash is stored."""
    return constant_time_compare(hash_of(secret), stored)
