"""The Django admin: for admins only, the record read-only, secrets shown once, changes in its own log."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib import admin as site
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from actions.models import AuditEntry, Command
from pmonitor import tokens
from pmonitor.models import ApiToken, StepRun
from servers.models import EnrolmentKey, Newest, Server, ServerGroup, Service
from tests.cast import person, signed_in

READ_ONLY = [Command, AuditEntry, Service, Newest, StepRun, LogEntry]


@pytest.fixture
def rows(web1: Server, admin: User) -> None:
    """A row of everything that is shown."""
    now = timezone.now()
    command = Command.objects.create(server=web1, cmd="restart", target="a.service", created_at=now, deliver_by=now)
    AuditEntry.objects.create(at=now, event="command.queued", actor="ada", server=web1, command=command)
    Service.objects.create(server=web1, name="a.service", active_state="active")
    Newest.objects.create(server=web1, received_at=now, sampled_at=now)
    StepRun.objects.create(name="a.step", ran_at=now, seconds=1)
    tokens.new(admin, "laptop")
    EnrolmentKey.objects.create(prefix="pme_abcdefgh", hash="0" * 64, expires_at=now)


def test_only_the_role_admin_comes_in(operator: User, admin: User) -> None:
    staff = person("stan", None)
    User.objects.filter(pk=staff.pk).update(is_staff=True)
    assert Client().get("/admin/").status_code == 302
    assert "/login/?next=" in Client().get("/admin/", follow=True).redirect_chain[-1][0]
    for user, status in ((operator, 403), (User.objects.get(pk=staff.pk), 403), (admin, 200)):
        assert signed_in(user).get("/admin/", follow=True).status_code == status


def test_every_list_and_row_opens(rows: None, as_admin: Client) -> None:
    for model in site.site._registry:
        base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert as_admin.get(base).status_code == 200, base
        assert as_admin.get(base, {"q": "a"}).status_code == 200, base
        for row in model._default_manager.all()[:1]:
            assert as_admin.get(f"{base}{row.pk}/change/").status_code == 200, base


@pytest.mark.parametrize("model", READ_ONLY, ids=lambda model: model.__name__)
def test_the_record_cannot_be_changed_from_here(rows: None, as_admin: Client, admin: User, model: type) -> None:
    if model is LogEntry:
        LogEntry.objects.create(user=admin, action_flag=1, object_repr="x")
    row = model._default_manager.first()  # type: ignore[attr-defined]
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"  # type: ignore[attr-defined]
    for address in ("add/", f"{row.pk}/change/", f"{row.pk}/delete/"):
        assert as_admin.post(base + address, {"post": "yes"}).status_code == 403, address
    as_admin.post(base, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert model._default_manager.filter(pk=row.pk).exists()  # type: ignore[attr-defined]


def test_an_enrolment_key_is_shown_once(as_admin: Client, admin: User) -> None:
    expires = timezone.now() + timedelta(hours=1)
    form = {
        "note": "rack 3",
        "uses_left": 5,
        "expires_at_0": f"{expires:%Y-%m-%d}",
        "expires_at_1": f"{expires:%H:%M:%S}",
    }
    page = as_admin.post("/admin/servers/enrolmentkey/add/", form, follow=True)
    key = re.findall(r"pme_[\w-]{40,}", page.content.decode())
    row = EnrolmentKey.objects.get()
    assert len(key) == 1
    assert (row.prefix, row.created_by, row.uses_left) == (key[0][:12], admin, 5)
    for address in ("", f"{row.pk}/change/"):
        text = as_admin.get(f"/admin/servers/enrolmentkey/{address}").content.decode()
        assert key[0] not in text
        assert row.hash not in text


def test_a_token_is_shown_once_works_and_ends_when_deleted(as_admin: Client, viewer: User) -> None:
    page = as_admin.post("/admin/pmonitor/apitoken/add/", {"user": viewer.pk, "name": "backup"}, follow=True)
    (token,) = re.findall(r"pmu_[\w-]{40,}", page.content.decode())
    row = tokens.find(token)
    assert row is not None
    assert row.user == viewer
    text = as_admin.get(f"/admin/pmonitor/apitoken/{row.pk}/change/").content.decode()
    assert row.hash not in text
    as_admin.post(f"/admin/pmonitor/apitoken/{row.pk}/delete/", {"post": "yes"})
    assert tokens.find(token) is None
    assert not ApiToken.objects.exists()


def test_what_admins_change_is_in_the_admins_own_log(
    as_admin: Client, admin: User, web1: Server, db_group: ServerGroup
) -> None:
    form = {"group": db_group.pk, "labels": '{"env": "prod"}', "allowed_networks": '["10.0.0.0/8", "2001:db8::/32"]'}
    as_admin.post(f"/admin/servers/server/{web1.pk}/change/", form)
    web1.refresh_from_db()
    assert (web1.group, web1.labels) == (db_group, {"env": "prod"})
    assert web1.allowed_networks == ["10.0.0.0/8", "2001:db8::/32"]
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_repr) == (admin, "srv-web-01")
    assert "networks" in entry.get_change_message()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allowed_networks", '["10.0.0.0/99"]'),
        ("allowed_networks", '"10.0.0.0/8"'),
        ("labels", '["x"]'),
        ("labels", '{"a": 1}'),
    ],
)
def test_wrong_networks_and_labels_are_refused(as_admin: Client, web1: Server, field: str, value: str) -> None:
    form = {"labels": "{}", "allowed_networks": "[]", field: value}
    page = as_admin.post(f"/admin/servers/server/{web1.pk}/change/", form)
    assert page.status_code == 200
    assert b"errorlist" in page.content
    web1.refresh_from_db()
    assert (web1.labels, web1.allowed_networks) == ({}, [])


def test_servers_come_only_by_enrolling(as_admin: Client, web1: Server) -> None:
    assert as_admin.get("/admin/servers/server/add/").status_code == 403
    assert web1.token_hash not in as_admin.get(f"/admin/servers/server/{web1.pk}/change/").content.decode()


def test_a_server_is_deleted_with_what_it_reported(as_admin: Client, web1: Server) -> None:
    now = timezone.now()
    Service.objects.create(server=web1, name="a.service", active_state="active")
    Newest.objects.create(server=web1, received_at=now, sampled_at=now)
    as_admin.post(f"/admin/servers/server/{web1.pk}/delete/", {"post": "yes"})
    assert not Server.objects.filter(pk=web1.pk).exists()


def test_a_server_of_the_record_stays(rows: None, as_admin: Client, web1: Server) -> None:
    answer = as_admin.post(f"/admin/servers/server/{web1.pk}/delete/", {"post": "yes"})
    assert "would require deleting the following protected related objects" in answer.content.decode()
    assert Server.objects.filter(pk=web1.pk).exists()
