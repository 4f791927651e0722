"""The settings as mypy's Django plugin reads them: it connects to nothing."""

from __future__ import annotations

import os

os.environ.setdefault("SECRET_KEY", "for-types")
os.environ.setdefault("DATABASE_URL", "postgres://for:types@127.0.0.1/types")

from pmonitor.settings import *  # noqa: F403
