"""Making silences, moving their end and ending them: with their rights, their bounds and their records."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from actions.models import AuditEntry
from alerts import states
from alerts.models import Silence
from alerts.quiet import silences
from alerts.quiet.silences import Plan
from pmonitor.problems import Problem
from servers.models import Server
from tests.actions.test_races import ROUNDS, together
from tests.alerts.opening import audited, listening, opened, rule
from tests.alerts.quiet.making import BUCHAREST, silence

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


def once(**changed: Any) -> Plan:
    return Plan("Being replaced", **{"ends_at": timezone.now() + HOUR, **changed})


def windows(**changed: Any) -> Plan:
    return Plan("Patching", **{"cron": "0 2 * * SUN", "duration_sec": 7200, "zone": BUCHAREST, **changed})


def refused(call: Any, *args: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        call(*args)
    return caught.value


def test_one_is_made_with_its_record(admin: User) -> None:
    made = silences.make(admin, once(scope="web-*", rule=rule()), "198.51.100.7")
    assert (made.reason, made.scope, made.made_by_name) == ("Being replaced", "web-*", "ada")
    assert timezone.now() - made.starts_at < timedelta(minutes=1)
    (entry,) = audited("silence.made")
    assert (entry.actor_user, entry.address, entry.reason) == (admin, "198.51.100.7", "Being replaced")
    assert (entry.facts["scope"], entry.facts["rule"], entry.facts["silence"]) == ("web-*", "Lost", made.pk)


def test_windows_have_no_end_unless_one_is_given(admin: User) -> None:
    made = silences.make(admin, windows())
    assert (made.cron, made.duration_sec, made.zone, made.ends_at) == ("0 2 * * SUN", 7200, BUCHAREST, None)


def test_nothing_was_silent_before_somebody_said_so(admin: User) -> None:
    made = silences.make(admin, once(starts_at=timezone.now() - HOUR))
    assert timezone.now() - made.starts_at < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("plan", "field"),
    [
        (partial(once, ends_at=None), "endsAt"),
        (partial(once, ends_at=timezone.now() - HOUR), "endsAt"),
        (partial(once, starts_at=timezone.now() + 2 * HOUR), "endsAt"),
        (partial(once, ends_at=timezone.now() + timedelta(days=367)), "endsAt"),
        (partial(windows, starts_at=timezone.now() + timedelta(days=367)), "startsAt"),
        (partial(once, duration_sec=60), "durationSec"),
        (partial(windows, duration_sec=None), "durationSec"),
        (partial(windows, duration_sec=59), "durationSec"),
        (partial(windows, duration_sec=604_801), "durationSec"),
        (partial(windows, cron="61 * * * *"), "cron"),
        (partial(windows, cron="* * * * *"), "cron"),
        (partial(windows, zone="Nowhere"), "timeZone"),
        (partial(once, scope='"'), "scope"),
        (partial(once, scope="x" * 301), "scope"),
    ],
)
def test_a_wrong_field_is_named(admin: User, plan: Any, field: str) -> None:
    problem = refused(silences.make, admin, plan())
    assert problem.status_code == 400
    assert list(problem.fields) == [field]
    assert not Silence.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "two\nlines"])
def test_it_says_why_in_one_line(admin: User, reason: str) -> None:
    assert list(refused(silences.make, admin, once()._replace(reason=reason)).fields) == ["reason"]


def test_nobody_silences_more_than_they_see(operator: User, outsider: User) -> None:
    for line in ("", "srv-web-01", "group:db", "group:web group:db"):
        assert list(refused(silences.make, operator, once(scope=line)).fields) == ["scope"]
    assert "begin with group:web" in refused(silences.make, operator, once()).fields["scope"]
    made = silences.make(operator, once(scope="group:Web srv-*"))
    assert refused(silences.end, outsider, made).status_code == 403
    assert refused(silences.change_end, outsider, made, timezone.now() + 2 * HOUR).status_code == 403


def test_there_may_be_only_so_many(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silences, "MOST", 1)
    silence(ended_at=timezone.now())
    silences.make(admin, once())
    assert refused(silences.make, admin, once()).status_code == 409


def test_ending_it_tells_what_is_live_at_once(admin: User, web1: Server) -> None:
    made = silences.make(admin, once())
    incident = opened(rule(), web1)
    with listening() as told:
        silences.end(admin, made)
    assert told == [(states.UNSILENCED, [incident.pk])]
    made.refresh_from_db()
    assert made.ended_at is not None
    assert len(audited("silence.ended")) == 1
    problem = refused(silences.end, admin, made)
    assert (problem.status_code, problem.sentence) == (409, "It is over already.")
    assert refused(silences.change_end, admin, made, timezone.now() + HOUR).status_code == 409
    assert len(audited("silence.ended")) == 1


def test_its_end_can_be_moved(admin: User) -> None:
    made = silences.make(admin, once())
    later = timezone.now() + 5 * HOUR
    silences.change_end(admin, made, later)
    made.refresh_from_db()
    assert made.ends_at == later
    for wrong in (None, timezone.now() - HOUR, timezone.now() + timedelta(days=400)):
        assert list(refused(silences.change_end, admin, made, wrong).fields) == ["endsAt"]
    assert [entry.facts["until"] for entry in audited("silence.changed")] == [later.isoformat()]


def test_windows_may_lose_their_end(admin: User) -> None:
    made = silences.make(admin, windows(ends_at=timezone.now() + timedelta(days=30)))
    silences.change_end(admin, made, None)
    made.refresh_from_db()
    assert made.ends_at is None


def test_one_sees_those_for_ones_servers(
    admin: User, operator: User, outsider: User, nobody: User, web1: Server, db1: Server
) -> None:
    everywhere, web, named = silence(), silence(scope="group:web"), silence(scope="srv-db-01 srv-web-09")
    seen = {user.username: set(Silence.objects.visible_to(user)) for user in (admin, operator, outsider, nobody)}
    assert seen == {
        "ada": {everywhere, web, named},
        "oleg": {everywhere, web},
        "otto": {everywhere, named},
        "nils": set(),
    }


@pytest.mark.django_db(transaction=True)
def test_two_who_end_it_end_it_once(admin: User) -> None:
    for number in range(ROUNDS):
        made = silence()
        outcomes = together(*[partial(silences.end, admin, Silence.objects.get(pk=made.pk)) for _one in range(2)])
        assert sum(isinstance(outcome, Problem) for outcome in outcomes) == 1
        assert len(audited("silence.ended")) == number + 1
