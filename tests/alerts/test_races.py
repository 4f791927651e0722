"""Two at once, on a real database: one wins, it is told once, and nobody waits for the other for ever."""

from __future__ import annotations

from functools import partial

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from alerts import moves, person_moves, states
from alerts.incidents import endings, flapping
from alerts.models import Incident, IncidentEntry
from alerts.quiet import covering
from pmonitor.problems import Problem
from servers.models import Server
from tests.actions.test_races import ROUNDS, together
from tests.alerts.opening import audited, close_all, farm, lines, open_all, opened, opening, rule

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_move_needs_a_transaction_around_it(web1: Server) -> None:
    with pytest.raises(moves.OutsideTransaction):
        moves.open_([opening(rule(), web1)])
    assert not Incident.objects.exists()


def test_two_rounds_open_one_incident(web1: Server) -> None:
    one = rule()
    for number in range(ROUNDS):
        what = opening(one, web1, f"{number}.service")
        made = together(*[partial(open_all, [what])] * 3)
        assert sorted(len(each) for each in made) == [0, 0, 1]
        assert IncidentEntry.objects.filter(incident__subject=what.subject).count() == 1


def test_two_who_acknowledge_do_not_both_win(web1: Server, operator: User, admin: User) -> None:
    one = rule()
    for number in range(ROUNDS):
        incident = opened(one, web1, f"{number}.service")
        outcomes = together(
            partial(person_moves.acknowledge, operator, Incident.objects.get(pk=incident.pk)),
            partial(person_moves.acknowledge, admin, Incident.objects.get(pk=incident.pk)),
        )
        (problem,) = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
        incident.refresh_from_db()
        assert problem.sentence == f"{incident.acknowledged_by_name} has acknowledged it already."
        assert lines(incident) == [states.OPENED, states.TAKEN]
        assert len(audited("incident.acknowledged")) == number + 1


def test_closing_while_it_is_acknowledged(web1: Server, operator: User) -> None:
    one = rule()
    for number in range(ROUNDS):
        incident = opened(one, web1, f"{number}.service")
        outcome, closed = together(
            partial(person_moves.acknowledge, operator, Incident.objects.get(pk=incident.pk)),
            partial(close_all, [incident]),
        )
        assert len(closed) == 1
        incident.refresh_from_db()
        assert incident.state == states.CLOSED
        acknowledged = outcome is None
        assert (incident.acknowledged_by == operator) == acknowledged
        assert lines(incident).count(states.TAKEN) == acknowledged
        assert acknowledged or outcome.sentence == "It is closed already."


def test_the_last_two_members_close_at_once(db: None) -> None:
    servers = farm(6)
    for number in range(ROUNDS):
        one = rule(f"Lost {number}")
        made = open_all([opening(one, server) for server in servers])
        outcomes = together(partial(close_all, made[:3]), partial(close_all, made[3:]))
        assert sum(len(each) for each in outcomes) == 7
        whole = Incident.objects.get(rule=one, server=None)
        assert lines(whole) == [states.OPENED, states.ENDED]


def test_acknowledging_closing_and_silencing_many_end(admin: User) -> None:
    servers = farm(30)
    for number in range(ROUNDS):
        one = rule(f"Lost {number}")
        made = open_all([opening(one, server) for server in servers])
        whole = Incident.objects.get(rule=one, server=None)
        outcomes = together(
            partial(person_moves.acknowledge, admin, whole),
            partial(close_all, made[::-1]),
            partial(person_moves.acknowledge_many, admin, made[::2]),
            covering.keep,
        )
        assert not [
            outcome for outcome in outcomes if isinstance(outcome, Exception) and not isinstance(outcome, Problem)
        ]
        whole.refresh_from_db()
        assert whole.state == states.CLOSED


def test_rounds_that_cross_the_threshold_together_make_one_whole(db: None) -> None:
    servers = farm(12)
    for number in range(ROUNDS):
        one = rule(f"Lost {number}")
        first = [opening(one, server) for server in servers[:6]]
        second = [opening(one, server) for server in servers[6:]]
        outcomes = together(partial(open_all, first), partial(open_all, second))
        assert [len(made) for made in outcomes] == [6, 6]
        whole = Incident.objects.get(rule=one, server=None)
        assert whole.members.count() == whole.facts["members"] == 12


def test_coming_back_and_ending_do_not_both_win(web1: Server) -> None:
    one = rule()
    for number in range(ROUNDS):
        what = f"{number}.service"
        for _time in range(3):
            open_all([opening(one, web1, what)])
            close_all(list(Incident.objects.live().filter(subject=what)))
        Incident.objects.live().filter(subject=what).update(calm_since=timezone.now() - flapping.QUIET)
        together(partial(open_all, [opening(one, web1, what)]), endings.end_calm)
        live = Incident.objects.live().get(subject=what)  # over the limit now, so there is one
        assert live.calm_since is None
