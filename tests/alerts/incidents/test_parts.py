"""An incident of many servers for who sees some of them: what they do is said, and is over for them when theirs is."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from alerts import person_moves, states
from alerts.incidents import acknowledging, fleet_part, header
from alerts.incidents.list_page import Asked
from alerts.models import Incident
from pmonitor.problems import Problem
from servers.models import Server, ServerGroup
from tests.alerts.incidents.pages import LIST, text, titles, words
from tests.alerts.opening import farm, lines, listening, open_all, opening, rule
from tests.cast import program_of


@pytest.fixture
def whole(web_group: ServerGroup, db1: Server, web1: Server) -> Incident:
    """Of six servers, five of which are in the group "web"."""
    silent = rule()
    open_all([opening(silent, server) for server in (*farm(4, web_group), web1, db1)])
    found: Incident = Incident.objects.get(server=None)
    return found


def page_of(whole: Incident, move: str = "") -> str:
    return f"/alerts/{whole.uuid}/{move}{'/' if move else ''}"


def test_taking_a_part_says_how_much_that_is(
    whole: Incident, operator: User, as_operator: Client, as_outsider: Client
) -> None:
    with listening() as told:
        person_moves.acknowledge(operator, whole)
    assert (states.TAKEN, [whole.pk]) not in told  # nobody is told that all of it is taken
    assert lines(whole) == [states.OPENED, states.PARTLY]
    assert whole.entries.get(kind=states.PARTLY).facts == {"move": states.TAKEN, "members": 5, "of": 6}
    for client in (as_operator, as_outsider):
        page = words(text(client.get(page_of(whole))))
        assert "Acknowledged in part: 5 of 6" in page
        assert "5 of 6 acknowledged" in page
        assert "5 of 6 acknowledged" in words(text(client.get(LIST)))
    assert "5 of 6 are on your servers: 0 open, 5 acknowledged, 0 closed." in words(
        text(as_operator.get(page_of(whole)))
    )
    assert "1 of 6 is on your servers: 1 open, 0 acknowledged, 0 closed." in words(
        text(as_outsider.get(page_of(whole)))
    )


def test_who_sees_all_of_it_is_told_of_no_part(whole: Incident, as_admin: Client) -> None:
    page = words(text(as_admin.post(page_of(whole, "acknowledge"), follow=True)))
    assert "in part" not in page
    assert "on your servers" not in page


def test_taking_the_rest_takes_the_whole(whole: Incident, operator: User, outsider: User) -> None:
    person_moves.acknowledge(operator, whole)
    person_moves.acknowledge(outsider, whole)
    whole.refresh_from_db()
    assert whole.state == states.ACKNOWLEDGED
    assert lines(whole) == [states.OPENED, states.PARTLY, states.TAKEN]


def test_what_one_has_taken_all_of_is_no_longer_untaken(
    whole: Incident, operator: User, outsider: User, web_group: ServerGroup, db_group: ServerGroup
) -> None:
    person_moves.acknowledge(operator, whole)
    assert header.untaken(str(web_group.pk)).number == 0
    assert header.untaken(str(db_group.pk)).number == 1
    assert acknowledging.context(operator, Asked())["count"] == 0
    assert acknowledging.context(outsider, Asked())["count"] == 1


def test_giving_a_part_back(whole: Incident, as_operator: Client, as_outsider: Client, as_viewer: Client) -> None:
    button = f'action="{page_of(whole, "give-back")}"'
    assert button not in text(as_operator.get(page_of(whole)))
    as_operator.post(page_of(whole, "acknowledge"))
    assert button in text(as_operator.get(page_of(whole)))
    assert button not in text(as_outsider.get(page_of(whole))) + text(as_viewer.get(page_of(whole)))
    assert "Given back in part: 5 of 6" in text(as_operator.post(page_of(whole, "give-back"), follow=True))
    assert button not in text(as_operator.get(page_of(whole)))


def test_assigning_a_part(whole: Incident, operator: User, as_operator: Client) -> None:
    page = text(as_operator.post(page_of(whole, "assign"), {"to": str(operator.pk)}, follow=True))
    assert "Assigned to oleg in part: 5 of 6" in page
    page = text(as_operator.post(page_of(whole, "assign"), {"to": ""}, follow=True))
    assert "Assigned to nobody in part: 5 of 6" in page


def test_closing_a_part_is_asked_and_said_and_takes_it_off_ones_own_lists(
    whole: Incident, web_group: ServerGroup, as_operator: Client, as_outsider: Client, as_admin: Client
) -> None:
    assert "This closes 5 of its 6 members, those on your servers." in text(as_operator.get(page_of(whole, "close")))
    assert "This closes" not in text(as_admin.get(page_of(whole, "close")))
    page = text(as_operator.post(page_of(whole, "close"), {"reason": "Moved <house>"}, follow=True))
    assert "Closed by hand in part: 5 of 6" in page
    assert "Moved &lt;house&gt;" in page
    assert (
        titles(as_operator)
        == titles(as_operator, f"{LIST}?s=silenced")
        == titles(as_operator, f"{LIST}?s=closed")
        == []
    )
    assert "Open 0 Silenced 0" in words(text(as_operator.get(LIST)))
    assert len(titles(as_outsider)) == len(titles(as_admin)) == 1
    mine = Server.objects.filter(group=web_group)
    assert fleet_part.total(mine).number == 0
    assert "Server silent on" not in fleet_part.rail(mine).html
    assert fleet_part.total(Server.objects.all()).number == 1


def test_what_is_over_on_ones_own_servers_says_so(whole: Incident, operator: User) -> None:
    person_moves.close_by_hand(operator, whole)
    for move in (person_moves.acknowledge, person_moves.unacknowledge, person_moves.close_by_hand):
        with pytest.raises(Problem) as caught:
            move(operator, whole)
        assert caught.value.status_code == 409
        assert "closed already on the servers in your scope" in caught.value.sentence
    assert lines(whole) == [states.OPENED, states.PARTLY]


def test_programs_read_it_in_the_timeline(whole: Incident, operator: User) -> None:
    answer = program_of(operator).post(
        f"/api/alerts/incidents/{whole.uuid}/acknowledge", {}, content_type="application/json"
    )
    assert answer.status_code == 200
    told = answer.json()
    assert told["state"] == "open"
    assert told["timeline"][-1]["kind"] == "partly"
    assert told["timeline"][-1]["facts"] == {"move": "acknowledged", "members": 5, "of": 6}
