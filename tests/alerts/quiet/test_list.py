"""The list of silences."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from servers.models import Server
from tests.actions.pages import text
from tests.alerts.opening import rule
from tests.alerts.quiet.making import silence

pytestmark = pytest.mark.django_db
LIST = "/alerts/silences/"


def test_the_list_has_active_ones_first(as_admin: Client) -> None:
    now = timezone.now()
    silence(reason="Over", ended_at=now)
    silence(reason="Coming", starts_at=now + timedelta(minutes=30))
    silence(reason="Active")
    silence(reason="Window", cron="0 0 1 JAN *", duration_sec=60, ends_at=None)
    shown = text(as_admin.get(LIST))
    titles = re.findall(r'<th scope="row"><a class="clip"[^>]*>(\w+)</a>', shown)
    assert titles[0] == "Active"
    assert set(titles[1:3]) == {"Coming", "Window"}
    assert titles[3] == "Over"


def test_the_list_is_a_few_queries(as_operator: Client, web1: Server, django_assert_max_num_queries: Any) -> None:
    for _n in range(9):
        silence(scope="group:web", rule=rule(f"Rule {_n}"))
    with django_assert_max_num_queries(14):
        assert text(as_operator.get(LIST)).count('<tr id="sil-') == 9
