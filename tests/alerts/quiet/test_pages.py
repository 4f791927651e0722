"""The pages about silences and maintenance windows."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts.models import Incident, Silence
from alerts.rules import kinds
from servers.models import Server, ServerGroup
from tests.actions.pages import text
from tests.alerts.opening import audited, farm, open_all, opened, opening, rule
from tests.alerts.quiet.making import silence
from tests.cast import enrolled

pytestmark = pytest.mark.django_db
LIST, NEW, PREVIEW = "/alerts/silences/", "/alerts/silences/new/", "/alerts/silences/preview/"
GIVEN = {
    "reason": "The switch is being replaced", "scope": "group:web", "rule": "", "at": "", "until": "",
    "length": "3600", "cron": "", "zone": "UTC",
}  # fmt: skip
WINDOWS = {**GIVEN, "cron": "30 3 * * SUN", "length": "7200", "zone": "Europe/Bucharest"}


def errors(shown: str) -> dict[str, str]:
    """The sentences under the fields."""
    return dict(re.findall(r'id="(\w+)-e"><svg.*?</svg>([^<]*)</span>', shown))


def fields(shown: str) -> dict[str, str]:
    """What stands in the form's inputs."""
    return dict(re.findall(r'<input class="input[^>]*? name="(\w+)"[^>]*? value="([^"]*)"', shown))


def test_the_form_makes_one_for_an_hour(as_operator: Client, web1: Server) -> None:
    assert as_operator.post(NEW, GIVEN)["Location"] == LIST
    one = Silence.objects.get()
    assert one.ends_at is not None
    assert abs(one.ends_at - one.starts_at - timedelta(hours=1)) < timedelta(seconds=5)
    assert (one.made_by_name, one.duration_sec) == ("oleg", None)
    shown = text(as_operator.get(LIST))
    assert "The switch is being replaced" in shown
    assert "1 active" in shown


def test_from_and_until_are_meant_by_the_clock_of_the_zone(as_operator: Client, web1: Server) -> None:
    day = (timezone.now() + timedelta(days=300)).date()
    given = {**GIVEN, "at": f"{day}T12:00", "until": f"{day}T14:00", "zone": "Asia/Tokyo"}
    as_operator.post(NEW, given)
    one = Silence.objects.get()
    assert one.ends_at is not None
    assert (one.starts_at.hour, one.ends_at.hour) == (3, 5)
    assert "12:00 JST to 14:00 JST" in text(as_operator.get(LIST))


def test_the_form_makes_windows(as_operator: Client, web1: Server) -> None:
    as_operator.post(NEW, WINDOWS)
    one = Silence.objects.get()
    assert (one.cron, one.duration_sec, one.zone, one.ends_at) == ("30 3 * * SUN", 7200, "Europe/Bucharest", None)
    shown = text(as_operator.get(f"{LIST}{one.pk}/"))
    assert "Maintenance window" in shown
    assert "30 3 * * SUN Europe/Bucharest, 2 h each" in shown
    assert shown.count(", 03:30 EE") == 5


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"reason": " "}, "reason", "Say why: the audit trail keeps it."),
        ({"reason": "a\nb"}, "reason", "Say why, in one line"),
        ({"scope": ""}, "scope", "reaches further than your scope: begin with group:web"),
        ({"scope": "group:db"}, "scope", "reaches further"),
        ({"scope": '"'}, "scope", "quotation mark"),
        ({"rule": "99999"}, "rule", "Select a valid choice"),
        ({"at": "soon"}, "at", "Write a date and time such as 2026-11-28 03:00."),
        ({"until": "2020-01-01T00:00"}, "until", "must be later than its begin"),
        ({"length": "x"}, "length", "Enter a whole number."),
        ({"length": "1209600", "cron": "0 3 * * *"}, "length", "a minute to a week"),
        ({"cron": "61 * * * *"}, "cron", "The first field is the minute"),
        ({"zone": "Nowhere"}, "zone", "is no time zone that the hub knows"),
    ],
)
def test_a_wrong_field_says_so_and_nothing_is_lost(
    as_operator: Client, web1: Server, changed: dict[str, str], field: str, said: str
) -> None:
    shown = text(as_operator.post(NEW, {**GIVEN, **changed}), 400)
    assert list(errors(shown)) == [field]
    assert said in errors(shown)[field]
    if field != "scope":
        assert fields(shown)["scope"] == "group:web"
    assert not Silence.objects.exists()


def test_all_wrong_fields_are_named_at_once(as_operator: Client, web1: Server) -> None:
    given = {
        **GIVEN,
        "reason": "",
        "scope": "group:",
        "cron": "x",
        "zone": "Mars/Crater",
        "until": "soon",
        "length": "",
    }
    shown = text(as_operator.post(NEW, given), 400)
    found = errors(shown)
    assert set(found) == {"reason", "scope", "cron", "zone", "until", "length"}
    assert found["reason"] == "Say why: the audit trail keeps it."
    assert "Wrong input" not in shown
    assert not Silence.objects.exists()


def test_what_only_cannot_be_read_is_named_alone(as_operator: Client, web1: Server) -> None:
    shown = text(as_operator.post(NEW, {**GIVEN, "length": "soon"}), 400)
    assert set(errors(shown)) == {"length"}
    assert "Wrong input" not in shown


def test_from_an_incident_it_is_filled_in(as_operator: Client, as_admin: Client, web1: Server) -> None:
    failed = rule("A service failed", kinds.FAILED)
    address = f"{NEW}?incident={opened(failed, web1, 'nginx.service').uuid}"
    shown = text(as_operator.get(address))
    assert "Silence “nginx.service failed” on srv-web-01" in shown
    assert fields(shown)["scope"] == "group:web srv-web-01"
    assert f'<option value="{failed.pk}" selected>A service failed</option>' in shown
    assert "<b>1 server</b> matches now" in shown
    assert "1 live incident is on them." in shown
    assert fields(text(as_admin.get(address)))["scope"] == "srv-web-01"


def test_members_of_one_of_many_servers_are_one_in_the_preview(as_admin: Client) -> None:
    lost, servers = rule("Lost"), farm(6)
    open_all([opening(lost, server) for server in servers])
    opened(rule("A service failed", kinds.FAILED), servers[0], "nginx.service")
    assert "2 live incidents are on them." in text(as_admin.get(NEW))


def test_from_one_of_many_servers_it_has_the_rules_scope(as_admin: Client) -> None:
    lost = rule(scope="env=prod")
    open_all([opening(lost, server) for server in farm(5)])
    shown = text(as_admin.get(f"{NEW}?incident={Incident.objects.get(server=None).uuid}"))
    assert fields(shown)["scope"] == "env=prod"


@pytest.mark.parametrize("given", ["x", "018f4a2e-6c1b-4e0f-9d57-3a1c2b4d5e70", "\0"])
def test_from_no_incident_it_is_as_always(as_operator: Client, web1: Server, given: str) -> None:
    assert fields(text(as_operator.get(NEW, {"incident": given})))["scope"] == "group:web"


def test_another_scopes_incident_fills_nothing_in(as_outsider: Client, web1: Server, db1: Server) -> None:
    one = opened(rule("Secret rule"), web1)
    shown = text(as_outsider.get(NEW, {"incident": str(one.uuid)}))
    assert "srv-web-01" not in shown


def test_groups_with_blanks_are_quoted(as_operator: Client, operator: User) -> None:
    operator.scope.groups.add(ServerGroup.objects.create(name="mail servers"))
    shown = text(as_operator.get(NEW))
    assert fields(shown)["scope"] == "group:&quot;mail servers&quot; group:web"
    enrolled("srv-mail-01", ServerGroup.objects.get(name="mail servers"))
    as_operator.post(NEW, {**GIVEN, "scope": 'group:"mail servers"'})
    assert Silence.objects.count() == 1


@pytest.mark.parametrize(
    ("asked", "said", "times"),
    [
        ({"cron": "30 3 * * *", "zone": "UTC"}, "The next windows begin, by the clock of UTC", 5),
        ({"cron": "x"}, "Write five fields", 0),
        ({"at": "2026-03-29T03:30", "zone": "Europe/Bucharest"}, "Sun 29 Mar 2026, 04:00 EEST", 1),
        ({"at": "2026"}, "It begins as soon as it is made.", 0),
        ({"cron": "0 * * * *", "length": "7200"}, "These windows leave no gap between them", 5),
        ({"scope": "srv-web-*"}, "<b>2 servers</b> match now", 0),
        ({"scope": "group:db"}, "No server matches now.", 0),
        ({"scope": '"'}, "It begins as soon as it is made.", 0),
        ({"scope": "\0", "rule": "x" * 99, "zone": "\0", "cron": "\0"}, "It begins", 0),
        ({"rule": "9999999999999999"}, "<b>2 servers</b> match now", 0),
    ],
)
def test_what_it_means_while_one_types(
    as_operator: Client, web1: Server, web2: Server, db1: Server, asked: dict[str, str], said: str, times: int
) -> None:
    shown = text(as_operator.get(PREVIEW, asked))
    assert said in shown
    assert shown.count("<li>") == times


def test_without_scripts_a_button_shows_it(as_operator: Client, web1: Server) -> None:
    shown = text(as_operator.post(NEW, {**WINDOWS, "reason": "", "preview": "1"}))
    assert shown.count(", 03:30 EE") == 5
    assert errors(shown) == {}
    assert fields(shown)["cron"] == "30 3 * * SUN"
    assert not Silence.objects.exists()


def test_one_says_what_it_keeps_quiet(as_operator: Client, as_outsider: Client, web1: Server, db1: Server) -> None:
    one = silence()
    opened(rule("A service failed", kinds.FAILED), web1, "<b>.service")
    shown = text(as_operator.get(f"{LIST}{one.pk}/"))
    assert "&lt;b&gt;.service failed" in shown
    assert "End now" not in shown  # it is for every server, and the operator sees one group
    assert "It keeps no incident quiet now." in text(as_outsider.get(f"{LIST}{one.pk}/"))


def test_an_open_window_says_until_when(as_operator: Client, web1: Server) -> None:
    began = timezone.now().replace(second=0, microsecond=0)
    one = silence(scope="group:web", cron=f"{began.minute} {began.hour} * * *", duration_sec=3600, ends_at=None)
    ends = f'<dt>Active until</dt><dd><time datetime="{began + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}'
    assert ends in text(as_operator.get(f"{LIST}{one.pk}/"))
    Silence.objects.update(duration_sec=0)
    assert "Active until" not in text(as_operator.get(f"{LIST}{one.pk}/"))


@pytest.mark.parametrize("minutes", [60, 120])
def test_windows_without_a_gap_say_that_they_have_no_end(as_operator: Client, web1: Server, minutes: int) -> None:
    one = silence(scope="group:web", cron="30 * * * *", duration_sec=minutes * 60, ends_at=None)
    shown = text(as_operator.get(f"{LIST}{one.pk}/"))
    assert "<dt>Active until</dt><dd>without an end" in shown


@pytest.mark.parametrize(
    "changed", [{"length": "1800"}, {"length": ""}, {"length": "9" * 99}, {"until": "2030-01-01T00:00"}, {"cron": ""}]
)
def test_windows_that_end_are_not_warned_of(as_operator: Client, web1: Server, changed: dict[str, str]) -> None:
    asked = {"cron": "0 * * * *", "length": "7200", "zone": "UTC", **changed}
    assert "leave no gap" not in text(as_operator.get(PREVIEW, asked))


def test_ending_it(as_operator: Client, web1: Server) -> None:
    one = silence(scope="group:web")
    address = f"{LIST}{one.pk}/end/"
    assert address in text(as_operator.get(LIST))
    assert as_operator.post(address)["Location"] == LIST
    assert "It is over already." in text(as_operator.post(address), 409)
    assert address not in text(as_operator.get(LIST))
    assert len(audited("silence.ended")) == 1


def test_another_end(as_operator: Client, web1: Server) -> None:
    one = silence(scope="group:web", zone="Europe/Bucharest")
    address, day = f"{LIST}{one.pk}/change/", (timezone.now() + timedelta(days=20)).date()
    assert as_operator.post(address, {"until": f"{day}T12:00", "zone": "UTC"})["Location"] == f"{LIST}{one.pk}/"
    one.refresh_from_db()
    assert (one.ends_at and one.ends_at.date(), one.ends_at and one.ends_at.hour) == (day, 12)
    shown = text(as_operator.post(address, {"until": "2020-01-01T00:00", "zone": "UTC"}), 400)
    assert "must be later than its begin" in errors(shown)["until"]
    assert 'value="2020-01-01T00:00"' in shown
    assert "Say until when." in errors(text(as_operator.post(address, {"until": "", "zone": ""}), 400))["until"]
    assert "Write a date" in errors(text(as_operator.post(address, {"until": "x"}), 400))["until"]


def test_a_viewer_reads_and_changes_nothing(as_viewer: Client, web1: Server) -> None:
    one = silence(scope="group:web")
    assert "/end/" not in text(as_viewer.get(LIST))
    assert "/end/" not in text(as_viewer.get(f"{LIST}{one.pk}/"))
    assert [as_viewer.get(NEW).status_code, as_viewer.get(PREVIEW).status_code] == [403, 403]
    assert [as_viewer.post(f"{LIST}{one.pk}/{part}/").status_code for part in ("end", "change")] == [403, 403]


def test_another_scopes_is_not_found(as_outsider: Client, web1: Server, db1: Server) -> None:
    one = silence(scope="group:web", reason="Nobody's business")
    assert "Nobody" not in text(as_outsider.get(LIST))
    assert as_outsider.get(f"{LIST}{one.pk}/").status_code == 404
    assert as_outsider.post(f"{LIST}{one.pk}/end/").status_code == 404


def test_more_than_ones_own_is_refused(as_operator: Client, web1: Server) -> None:
    one = silence()
    assert "It reaches further than your scope" in text(as_operator.post(f"{LIST}{one.pk}/end/"), 403)
    one.refresh_from_db()
    assert one.ended_at is None


def test_the_wrong_method(as_operator: Client, web1: Server) -> None:
    one = silence(scope="group:web")
    assert as_operator.get(f"{LIST}{one.pk}/end/").status_code == 405
    assert as_operator.post(LIST).status_code == 405
    assert as_operator.post(PREVIEW).status_code == 405


def test_it_speaks_on_the_audit_page(as_admin: Client, web1: Server) -> None:
    as_admin.post(NEW, GIVEN)
    shown = text(as_admin.get("/audit/?event=silence.made"))
    assert f"{LIST}{Silence.objects.get().pk}/" in shown
    assert "group:web" in shown
    assert "Silenced" in shown
