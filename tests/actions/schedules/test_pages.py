"""The pages on which commands are scheduled."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from actions import states
from actions.models import Command, ProtectedUnit
from actions.schedules import due, live, pages
from actions.schedules.models import Schedule
from pmonitor.live import View
from servers.models import Server
from tests.actions.making import NGINX, newest, service
from tests.actions.pages import CONFIRM, text
from tests.actions.schedules.making import NIGHTLY, events, schedule

pytestmark = pytest.mark.django_db
NEW = "/schedules/new/"
GIVEN = {
    "server": "srv-web-01", "target": NGINX, "cmd": "restart", "cron": NIGHTLY, "zone": "", "at": "",
    "reason": "Weekly defragmentation", "within": "600",
}  # fmt: skip
HTMX = {"HX-Request": "true"}


def errors(shown: str) -> dict[str, str]:
    """The sentences under the fields."""
    found = re.findall(r'id="(\w+)-e"><svg.*?</svg>([^<]*)</span>', shown)
    return dict(found)


def test_the_confirmation_leads_there(as_operator: Client, web1: Server) -> None:
    service(web1)
    (link,) = re.findall(r'href="(/schedules/new/[^"]*)"', text(as_operator.get(CONFIRM)))
    shown = text(as_operator.get(link.replace("&amp;", "&")))
    assert f'value="{NGINX}"' in shown
    assert 'value="srv-web-01"' in shown
    assert '<option value="restart" selected>' in shown


def test_the_form_makes_one(as_operator: Client, web1: Server) -> None:
    service(web1)
    newest(web1, facts={"timeZone": "Europe/Bucharest"})
    answer = as_operator.post(NEW, GIVEN)
    one = Schedule.objects.get()
    assert answer["Location"] == f"/schedules/{one.uuid}/"
    assert (one.zone, one.deliver_within_sec, one.made_by_name) == ("Europe/Bucharest", 600, "oleg")
    shown = text(as_operator.get(answer["Location"]))
    assert "30 3 * * *" in shown
    assert shown.count(", 03:30 EE") == 5
    assert "Scheduled" in shown


def test_a_single_time_is_meant_by_the_servers_clock(as_operator: Client, web1: Server) -> None:
    service(web1)
    newest(web1, facts={"timeZone": "Asia/Tokyo"})
    as_operator.post(NEW, {**GIVEN, "cron": "", "at": "2099-07-01T12:00"})
    assert not Schedule.objects.exists()  # too far off; the zone counts in the sentence's moment, too
    shown = text(as_operator.get("/schedules/times/", {"server": "srv-web-01", "at": "2099-07-01T12:00"}))
    assert "12:00 JST" in shown
    assert 'datetime="2099-07-01T03:00:00' in shown


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"server": ""}, "server", "Name the server."),
        ({"server": "srv-db-01"}, "server", "There is no such server in your scope."),
        ({"server": "\0"}, "server", "Null characters are not allowed."),
        ({"target": ""}, "target", "Name the service."),
        ({"target": "none.service"}, "target", "is no service that this server has reported"),
        ({"cron": ""}, "at", "Give one time, or a cron expression."),
        ({"at": "soon", "cron": ""}, "at", "Write a date and time such as 2026-11-28 03:00."),
        ({"cron": "61 * * * *"}, "cron", "The first field is the minute: 0 to 59, such as 0,30 or */15."),
        ({"zone": "Nowhere"}, "zone", "is no time zone that the hub knows; write one such as Europe/Bucharest"),
        ({"reason": ""}, "reason", "Say why: the audit trail keeps it."),
    ],
)
def test_a_wrong_field_says_so_and_nothing_is_lost(
    as_operator: Client, web1: Server, db1: Server, changed: dict[str, str], field: str, said: str
) -> None:
    service(web1)
    given = {**GIVEN, **changed}
    shown = text(as_operator.post(NEW, given), 400)
    assert errors(shown) == {field: said}
    assert f'value="{given["reason"]}"' in shown
    assert '<option value="600" selected>' in shown
    assert not Schedule.objects.exists()


def test_a_protected_service_asks_for_its_name(as_operator: Client, web1: Server) -> None:
    service(web1)
    ProtectedUnit.objects.create(pattern=NGINX, kind="other")
    shown = text(as_operator.post(NEW, GIVEN), 400)
    assert "To confirm, type <code>nginx</code>" in shown
    assert "typed" in errors(shown)
    as_operator.post(NEW, {**GIVEN, "typed": "nginx"})
    assert Schedule.objects.get().typed == "nginx"


def test_what_cannot_be_told_so_is_said(as_operator: Client, web1: Server) -> None:
    service(web1, verbs=[])
    shown = text(as_operator.post(NEW, GIVEN), 409)
    assert "The agent of this server does not offer to restart nginx.service." in shown


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"cron": NIGHTLY}, "The next runs, by the clock of UTC"),
        ({"cron": "* * * * *"}, "Leave at least 5 minutes between two runs."),
        ({"cron": NIGHTLY, "zone": "Europe/Bucharest"}, "by the clock of Europe/Bucharest"),
        ({"at": "2026-03-29T03:30", "zone": "Europe/Bucharest"}, "Sun 29 Mar 2026, 04:00 EEST"),
        ({"at": "2026"}, "The next times stand here"),
        ({}, "The next times stand here"),
        ({"server": "\0" * 300, "cron": "\0", "zone": "\0"}, "The next times stand here"),
    ],
)
def test_the_next_times_while_one_types(as_operator: Client, asked: dict[str, str], said: str) -> None:
    shown = text(as_operator.get("/schedules/times/", asked))
    assert said in shown
    assert shown.count("<li>") == (5 if "next runs" in shown else "By" in shown or "EEST" in shown)


def test_without_scripts_a_button_shows_them(as_operator: Client, web1: Server) -> None:
    shown = text(as_operator.post(NEW, {**GIVEN, "reason": "", "preview": "1"}))
    assert shown.count(", 03:30 UTC") == 5
    assert errors(shown) == {}
    assert not Schedule.objects.exists()


def test_changing_one(as_operator: Client, web1: Server, admin: User) -> None:
    service(web1)
    one = schedule(web1, admin, deliver_within_sec=7777)
    shown = text(as_operator.get(f"/schedules/{one.uuid}/change/"))
    assert f'value="{NIGHTLY}"' in shown
    assert '<option value="7777" selected>2 h</option>' in shown
    assert 'name="server"' not in shown
    as_operator.post(f"/schedules/{one.uuid}/change/", {**GIVEN, "cron": "0 5 * * *", "target": "other.service"})
    one.refresh_from_db()
    assert (one.cron, one.target, one.made_by_name) == ("0 5 * * *", NGINX, "oleg")


def test_pausing_resuming_and_deleting(as_operator: Client, web1: Server, operator: User) -> None:
    service(web1)
    one = schedule(web1, operator)
    address = f"/schedules/{one.uuid}/"
    assert as_operator.post(f"{address}pause/")["Location"] == address
    assert "somebody was faster" in text(as_operator.post(f"{address}pause/", headers=HTMX)).lower()
    shown = text(as_operator.post(f"{address}resume/", headers=HTMX))
    assert shown.startswith('<article class="panel" id="schedule-')
    assert "Delete the schedule" in text(as_operator.get(f"{address}delete/"))
    assert as_operator.post(f"{address}delete/")["Location"] == "/schedules/"
    assert as_operator.get(address).status_code == 404
    assert events(one) == ["schedule.disabled", "schedule.enabled", "schedule.deleted"]


def test_a_time_that_is_over_cannot_be_resumed(as_operator: Client, web1: Server, operator: User) -> None:
    one = schedule(web1, operator, cron="", once_at=schedule(web1, operator).next_at, enabled=False, next_at=None)
    shown = text(as_operator.post(f"/schedules/{one.uuid}/resume/", headers=HTMX))
    assert "Its time is over; give it another one." in shown


def test_a_viewer_reads_and_changes_nothing(as_viewer: Client, web1: Server, operator: User) -> None:
    one = schedule(web1, operator)
    assert "Restart nginx.service" in text(as_viewer.get("/schedules/"))
    shown = text(as_viewer.get(f"/schedules/{one.uuid}/"))
    assert "<form" not in shown[shown.index("<article") :].partition("</article>")[0]
    for part in ("pause/", "resume/", "delete/", "change/"):
        assert as_viewer.post(f"/schedules/{one.uuid}/{part}").status_code == 403
    assert as_viewer.get(NEW).status_code == 403


def test_another_scopes_schedule_is_not_found(as_outsider: Client, web1: Server, operator: User) -> None:
    one = schedule(web1, operator)
    assert str(one.uuid) not in text(as_outsider.get("/schedules/"))
    assert as_outsider.get(f"/schedules/{one.uuid}/").status_code == 404
    assert as_outsider.post(f"/schedules/{one.uuid}/pause/").status_code == 404


def test_the_list_is_filtered_and_comes_page_by_page(
    as_operator: Client, web1: Server, web2: Server, operator: User, monkeypatch: pytest.MonkeyPatch,
    django_assert_max_num_queries: Any,
) -> None:  # fmt: skip
    monkeypatch.setattr(pages, "PAGE", 3)
    for n in range(5):
        schedule(web1, operator, target=f"{n}.service")
    schedule(web2, operator, target="odd.service", enabled=False, next_at=None)
    with django_assert_max_num_queries(7):  # session, user, role, scope, the list; for the header scope and incidents
        shown = text(as_operator.get("/schedules/"))
    assert shown.count('<tr id="sch-') == 3
    assert "from=3" in shown
    assert text(as_operator.get("/schedules/?from=3")).count('<tr id="sch-') == 3
    assert text(as_operator.get("/schedules/?q=odd+web-02")).count('<tr id="sch-') == 1
    assert text(as_operator.get("/schedules/?server=srv-web-02")).count('<tr id="sch-') == 1
    assert "No schedule matches" in text(as_operator.get("/schedules/?q=%00nothing"))


def test_the_page_tells_of_refused_and_missed_runs(as_operator: Client, web1: Server, operator: User) -> None:
    service(web1, verbs=[])
    one = schedule(web1, operator)
    due.run()
    shown = text(as_operator.get(f"/schedules/{one.uuid}/"))
    assert "The last run was refused; nothing was done." in shown
    assert "The agent of this server does not offer to restart nginx.service." in shown
    Schedule.objects.update(last_outcome="missed")
    assert "The hub was away for more than 5 min at its time." not in text(as_operator.get("/schedules/"))
    assert "The last run was missed; nothing was done." in text(as_operator.get(f"/schedules/{one.uuid}/"))


def test_a_command_and_the_audit_say_by_which_schedule(as_operator: Client, web1: Server, operator: User) -> None:
    service(web1)
    one = schedule(web1, operator)
    due.run()
    address = f"/schedules/{one.uuid}/"
    assert address in text(as_operator.get(f"/commands/{Command.objects.get().uuid}/"))
    shown = text(as_operator.get("/audit/"))
    assert "Given by schedule" in shown
    as_operator.post(f"{address}pause/")
    assert address in text(as_operator.get("/audit/?event=schedule.disabled"))


# Live


def test_the_push_depends_on_the_role_alone(web1: Server, operator: User) -> None:
    service(web1)
    one = schedule(web1, operator)
    before, shown = live.article(str(one.pk), View("en", "operator"))
    assert "/pause/" in shown["article"]
    assert "/pause/" not in live.article(str(one.pk), View("en", "viewer"))[1]["article"]
    due.run()
    ran = live.article(str(one.pk), View("en", "operator"))[0]
    assert ran != before
    Command.objects.update(state=states.SUCCEEDED)
    assert live.article(str(one.pk), View("en", "operator"))[0] != ran


def test_one_is_watched_only_in_scope(web1: Server, viewer: User, outsider: User) -> None:
    key = str(schedule(web1, viewer).pk)
    assert live.may_watch(viewer, {key, "x", "9" * 30}) == {key}
    assert live.may_watch(outsider, {key}) == set()
