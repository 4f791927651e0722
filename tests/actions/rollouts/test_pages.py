"""The pages of rollouts: planning, starting, the ways on, the list; and what is pushed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from actions.models import Command
from actions.rollouts import live, states
from actions.rollouts.models import Rollout
from pmonitor.live import View
from servers.models import Server, ServerGroup
from tests.actions.making import NGINX, service
from tests.actions.pages import text
from tests.actions.rollouts.making import WENT_WRONG, begun, fleet, obey, state
from tests.cast import enrolled

pytestmark = pytest.mark.django_db
PLAN = f"/rollouts/new/?cmd=restart&target={NGINX}&batch=2&pause=0"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def servers(web_group: ServerGroup) -> list[Server]:
    return fleet(web_group, 3)


@pytest.fixture
def halted(operator: User, servers: list[Server]) -> Rollout:
    rollout = begun(operator, 3)
    obey(servers[0], **WENT_WRONG)
    return rollout


def seen(shown: str) -> str:
    found = re.search(r'name="seen" value="(\w+)"', shown)
    assert found
    return found[1]


def test_planning_begins_with_an_empty_form(as_operator: Client, servers: list[Server]) -> None:
    shown = text(as_operator.get("/rollouts/new/"))
    assert f'<option value="{NGINX}">' in shown
    assert 'id="plan"' not in shown
    assert "<option>web</option>" in shown or '<option value="web">web</option>' in shown


def test_the_plan_shows_each_batch_before_anything_is_touched(as_operator: Client, servers: list[Server]) -> None:
    shown = text(as_operator.get(PLAN))
    assert shown.count('<li class="batch"') == 2
    assert "Restart nginx on 3 servers</button>" in shown
    assert "To confirm, type the number of servers" in shown
    assert not Rollout.objects.exists()


def test_the_plan_warns_of_silent_closed_and_bare_servers(
    as_operator: Client, servers: list[Server], web_group: ServerGroup
) -> None:
    Server.objects.filter(pk=servers[0].pk).update(state="silent")
    service(enrolled("closed", web_group)[0], verbs=[])
    enrolled("bare", web_group)
    shown = text(as_operator.get(PLAN + "&group=web&server=bare"))
    assert "Silent now: web-1. They are skipped if they still are." in shown
    assert "this is not allowed or not possible there: closed." in shown
    assert "there is no such service: bare." in shown


def test_starting_takes_reason_and_number_and_leads_to_the_page(as_operator: Client, servers: list[Server]) -> None:
    given = {"reason": "New TLS certificate", "count": "3", "seen": seen(text(as_operator.get(PLAN)))}
    answer = as_operator.post(PLAN, given)
    rollout = Rollout.objects.get()
    assert answer["Location"] == f"/rollouts/{rollout.pk}/"
    assert (rollout.batch_size, rollout.pause_sec, rollout.steps.count()) == ("2", 0, 3)
    shown = text(as_operator.get(answer["Location"]))
    assert "Rolling restart of nginx.service" in shown
    assert 'role="status"' in shown
    assert f'data-topic="rollout:{rollout.pk}"' in shown


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"count": "2"}, 'id="count-e"'), ({"count": ""}, 'id="count-e"'), ({"reason": " "}, 'id="why-e"')],
)
def test_what_is_wrong_comes_back_with_what_was_typed(
    as_operator: Client, servers: list[Server], wrong: dict[str, str], said: str
) -> None:
    given = {"reason": "Because", "count": "3", "seen": seen(text(as_operator.get(PLAN))), **wrong}
    shown = text(as_operator.post(PLAN, given), 400)
    assert said in shown
    assert f'value="{given["count"]}"' in shown
    assert not Rollout.objects.exists()


def test_a_plan_that_is_another_one_by_now_is_shown_again(
    as_operator: Client, servers: list[Server], web_group: ServerGroup
) -> None:
    given = {"reason": "Because", "count": "3", "seen": seen(text(as_operator.get(PLAN)))}
    service(enrolled("web-4", web_group)[0])
    shown = text(as_operator.post(PLAN, given), 409)
    assert "Other servers match than when you looked." in shown
    assert "on 4 servers</button>" in shown
    assert not Rollout.objects.exists()


def test_a_mixed_order_is_confirmed_as_it_was_seen(as_operator: Client, web_group: ServerGroup) -> None:
    fleet(web_group, 9)
    shown = text(as_operator.get(PLAN + "&order=random"))
    address = re.search(r'method="post" action="([^"]+)"', shown[shown.index('id="plan"') :])
    assert address
    given = {"reason": "Because", "count": "9", "seen": seen(shown)}
    assert as_operator.post(address[1].replace("&amp;", "&"), given).status_code == 302


@pytest.mark.parametrize("wrong", ["batch=ten", "pause=-1", "failures=x", "order=up", "group=nobody", "cmd=explode"])
def test_a_wrong_field_of_the_form_is_said(as_operator: Client, servers: list[Server], wrong: str) -> None:
    shown = text(as_operator.get(f"/rollouts/new/?target={NGINX}&{wrong}"), 400)
    assert f'id="id_{wrong.split("=")[0]}_error"' in shown
    assert 'id="plan"' not in shown


def test_who_may_see_and_who_may_act(
    as_viewer: Client, as_outsider: Client, as_operator: Client, halted: Rollout
) -> None:
    address = f"/rollouts/{halted.pk}/"
    assert "do-rollout-" not in text(as_viewer.get(address))
    assert "New rollout" not in text(as_viewer.get("/rollouts/"))
    assert as_viewer.get("/rollouts/new/").status_code == 403
    assert as_viewer.post(f"{address}retry/", {"reason": "x"}).status_code == 403
    assert as_outsider.get(address).status_code == 404
    assert as_outsider.post(f"{address}retry/", {"reason": "x"}).status_code == 404
    assert as_operator.get(f"{address}explode/").status_code == 404
    assert as_operator.post("/rollouts/").status_code == 405


def test_the_page_says_what_failed_and_what_was_not_touched(as_operator: Client, halted: Rollout) -> None:
    shown = text(as_operator.get(f"/rollouts/{halted.pk}/"))
    assert "Halted in batch 1 of 3: nginx did not restart on web-1" in shown
    assert "2 were not touched and stay as before." in shown
    for button in ("Retry web-1…", "Skip it and resume…", "End rollout…"):
        assert button in shown
    assert "exit code 1" in shown
    assert "What failed" in shown


def test_a_way_on_asks_first_and_then_goes(as_operator: Client, halted: Rollout) -> None:
    address = f"/rollouts/{halted.pk}/retry/"
    assert text(as_operator.get(address, headers=HTMX)).startswith('<form class="confirm"')
    assert "Tries the failed server once more, then goes on. From here on it acts in your name." in text(
        as_operator.get(address)
    )
    answer = as_operator.post(address, {"reason": "Repaired", "seen": "1"}, headers=HTMX)
    assert answer["HX-Trigger-After-Swap"] == "pm:asked"
    assert text(answer).startswith('<div id="rollout-state" hx-swap-oob="true"')
    assert state(halted) == states.RUNNING
    again = as_operator.post(address, {"reason": "Repaired", "seen": "1"})
    assert "The rollout has moved on since you looked." in text(again, 409)


def test_a_way_on_without_a_reason_is_asked_again(as_operator: Client, halted: Rollout) -> None:
    shown = text(as_operator.post(f"/rollouts/{halted.pk}/end/", {"reason": "", "seen": "1"}), 400)
    assert 'aria-invalid="true" aria-describedby="why-e why-h"' in shown
    assert as_operator.post(f"/rollouts/{halted.pk}/end/", {"reason": "x"}).status_code == 409, (
        "what was seen is not said"
    )
    answer = as_operator.post(f"/rollouts/{halted.pk}/end/", {"reason": "Enough", "seen": "1"})
    assert answer["Location"] == f"/rollouts/{halted.pk}/"
    assert "Ended by oleg" in text(as_operator.get(answer["Location"]))


def test_the_list_tells_how_far_each_is(as_operator: Client, as_outsider: Client, halted: Rollout) -> None:
    shown = text(as_operator.get("/rollouts/"))
    assert "0 of 3 servers restarted. 1 failed. 2 were not touched and stay as before." in shown
    assert "No rollout has been started yet." in text(as_outsider.get("/rollouts/"))


def test_the_audit_trail_and_the_command_name_the_rollout(as_operator: Client, halted: Rollout) -> None:
    shown = text(as_operator.get("/audit/"))
    assert "Rollout halted" in shown
    assert f"/rollouts/{halted.pk}/" in shown
    assert f"rollout {halted.pk}" in text(as_operator.get(f"/commands/{Command.objects.latest('id').uuid}/"))


def test_only_the_fragments_that_changed_are_pushed(operator: User, servers: list[Server]) -> None:
    rollout = begun(operator, 3)
    view = View("en", "operator")
    before: dict[str, Any] = live.rollout(str(rollout.pk), view)[1]
    obey(servers[0])
    after = live.rollout(str(rollout.pk), view)[1]
    assert {name for name, html in after.items() if before[name] != html} == {
        "version", "state", "tally", "batch-1", "batch-2",
    }  # fmt: skip


def test_only_rollouts_wholly_in_scope_are_watched(
    operator: User, outsider: User, viewer: User, halted: Rollout
) -> None:
    keys = {str(halted.pk), "all", "x", "9" * 30}
    assert live.may_watch(operator, keys) == live.may_watch(viewer, keys) == {str(halted.pk)}
    assert live.may_watch(outsider, keys) == set()
