"""The dashboard's live topics: who may watch them and what they send."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pmonitor import live
from pmonitor.live import View
from servers import enrol_page, enrolment, fleet_live
from servers.models import EnrolmentKey, Server, ServerGroup
from tests.cast import enrolled
from tests.servers.test_fleet import report

EN, RO = View("en", "viewer"), View("ro", "viewer")


def test_rows_are_watched_only_in_scope(viewer: User, outsider: User, web1: Server) -> None:
    may_watch = live.TOPICS["row"].may_watch
    key, wrong = str(web1.pk), {"", "x", "-1", "1e3", "99999", "9" * 30, f"0{web1.pk}"}
    with CaptureQueriesContext(connection) as queries:
        assert may_watch(viewer, {key, *wrong}) == {key}
    assert len([query for query in queries if "servers_server" in query["sql"]]) == 1
    assert may_watch(outsider, {key}) == set()


def test_totals_are_watched_only_of_ones_own_scope(viewer: User, admin: User, web_group: ServerGroup) -> None:
    own = str(web_group.pk)
    assert fleet_live.may_watch_fleet(viewer, {own, "all", f"{own}-99"}) == {own}
    assert fleet_live.may_watch_fleet(admin, {own, "all"}) == {"all"}


def test_a_row_marks_what_moved_visibly(web1: Server) -> None:
    report(web1, 20)
    shown, first = fleet_live.update_row(str(web1.pk), EN, None)
    assert "changed" not in first[0]
    report(web1, 21)
    shown, near = fleet_live.update_row(str(web1.pk), EN, shown)
    assert "changed" not in near[0]
    report(web1, 60)
    again, far = fleet_live.update_row(str(web1.pk), EN, shown)
    assert far[0].count("changed") == 1
    assert again.version == "3up" != shown.version


def test_a_deleted_server_leaves_the_list(web1: Server) -> None:
    key = str(web1.pk)
    web1.delete()
    assert fleet_live.update_row(key, EN, None)[1] == [f'<tr id="srv-{key}" hx-swap-oob="delete"></tr>']


def test_the_version_changes_with_what_is_counted(web1: Server, web_group: ServerGroup) -> None:
    before, _ = fleet_live.render_fleet(str(web_group.pk), EN)
    enrolled("srv-new", web_group)
    after, fragments = fleet_live.render_fleet(str(web_group.pk), EN)
    assert before != after
    assert set(fragments) == {"totals", "fleet-size", "groups", "arrived", "hub-away", "lent", "rail-incidents"}
    for name, html in fragments.items():
        assert f'id="{name}"' in html.split(">", 1)[0]


def test_steps_follow_the_server_that_came_with_the_key(admin: User, viewer: User) -> None:
    secret = enrolment.new_key(created_by=admin)
    key = EnrolmentKey.objects.get()
    assert secret.startswith(key.prefix)
    assert enrol_page.may_watch(admin, {key.prefix}) == {key.prefix}
    assert enrol_page.may_watch(viewer, {key.prefix}) == set()
    assert [step.state for step in enrol_page.steps(key)["steps"]] == ["running", "todo", "todo"]
    server, _ = enrolled("srv-new")
    Server.objects.filter(pk=server.pk).update(enrolled_with=key.prefix)
    assert [step.state for step in enrol_page.steps(key)["steps"]] == ["succeeded", "running", "todo"]
    report(server, 5)
    version, fragments = enrol_page.render(key.prefix, View("en", "admin"))
    assert version == f"{server.pk}.2"
    assert "/servers/srv-new/" in fragments["enrol"]
    assert enrol_page.render("pme_gone", EN) == ("", {})
