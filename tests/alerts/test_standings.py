"""What stands is written in one statement, whatever kinds of rules it is of."""

from __future__ import annotations

import pytest
from django.utils import timezone

from alerts.evaluate.found import OVER, Seen
from alerts.evaluate.machine import Conditions
from alerts.evaluate.standings import Ledger
from alerts.models import Standing
from servers.models import Server
from tests.alerts.reporting import a_rule

pytestmark = pytest.mark.django_db


def test_counts_and_measures_are_written_together(web1: Server) -> None:
    rules = {rule.pk: rule for rule in (a_rule(), a_rule(), a_rule())}
    ledger = Ledger(rules, dict.fromkeys(rules, Conditions(for_sec=60)), [])
    for rule, value in zip(rules, (5, 1.5, None), strict=True):
        ledger.see(Seen(rule, web1.pk, "", timezone.now(), OVER, value))
    ledger.save()
    assert list(Standing.objects.order_by("rule").values_list("value", flat=True)) == [5.0, 1.5, None]
