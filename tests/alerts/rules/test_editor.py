"""The editor of rules: what it makes, what it says no to, and that nothing typed is lost."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from alerts.models import Contact, Rule
from alerts.rules import changes, kinds, wanted
from servers.models import Server
from tests.actions.making import service
from tests.actions.pages import text
from tests.alerts.rules.filled import HTMX, LIST, NEW, errors, typed, typed_in
from tests.alerts.rules.making import FAILED, MEMORY, contact, events, rule

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_each_kind_is_made_in_the_form(as_admin: Client, kind: str) -> None:
    shown = text(as_admin.get(NEW, {"kind": kind}))
    assert f'<option value="{kind}" selected>' in shown
    begun = wanted.usual(kind)._replace(name="New", scope="web-*")
    if "pattern" in begun.params:
        begun = begun._replace(params={**begun.params, "pattern": "nginx"})
    sent = {"name": begun.name, "kind": kind, "shown": kind, **typed_in(shown), "scope": "web-*"}
    sent |= {"name": "New", **({"pattern": "nginx"} if "pattern" in begun.params else {})}
    assert as_admin.post(NEW, sent).status_code == 302
    assert wanted.of(Rule.objects.get()) == wanted.whole(begun)


def test_the_form_changes_one(as_operator: Client, operator: User) -> None:
    one = rule(operator)
    shown = text(as_operator.get(f"{LIST}{one.pk}/"))
    answer = as_operator.post(f"{LIST}{one.pk}/", {**typed_in(shown), "limit": "95,5", "for": "1.5", "for_unit": "min"})
    assert answer["Location"] == LIST
    changed = Rule.objects.get()
    assert (changed.limit, changed.for_sec, changed.version) == (95.5, 90, 2)
    assert "is saved." in text(as_operator.get(LIST))


def test_saving_what_is_there_changes_nothing(as_operator: Client, operator: User) -> None:
    them = (contact("a").pk, contact("b").pk)
    one = rule(operator, FAILED, contacts=them, escalate_to=them[:1], escalate_after_sec=900, remedy_cmd="start")
    before = wanted.of(one)
    assert as_operator.post(f"{LIST}{one.pk}/", typed(before)).status_code == 302
    assert wanted.of(Rule.objects.get()) == before
    assert events(FAILED.name) == ["rule.made"]


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"name": ""}, "name", "must be a text of 1 to 80 printable characters"),
        ({"limit": ""}, "limit", "must be a number from 0 to 100"),
        ({"metric": "procs", "limit": "90.5"}, "limit", "must be a whole number from 0 to"),
        ({"limit": "high"}, "limit", "Write a number such as 90."),
        ({"limit": "nan", "clear_limit": ""}, "limit", "must be a number from 0 to 100"),
        ({"clear_limit": "95"}, "clear_limit", "must be at most the limit, 90"),
        ({"for": "9", "for_unit": "d"}, "for", "must be a whole number of seconds from 0 to 604800 (7 days)"),
        ({"for": "1e300"}, "for", "Write a span of time such as 5 min."),
        ({"k": "x"}, "k", "Write a whole number such as 3."),
        ({"k": "4", "n": "3"}, "k", "must be a whole number from 1 to n, 3"),
        ({"scope": "web-*"}, "scope", "reaches further than you may: name a group of yours, such as group:web"),
        ({"kind": "weather"}, "kind", "must be one of "),
        ({"metric": "heat"}, "metric", "must be one of "),
        ({"severity": "loud"}, "severity", "must be one of warning, critical"),
        ({"contacts": "77"}, "contacts", "there is no contact 77: choose among those that are listed"),
        ({"remedy_cmd": "restart"}, "remedy_target", "must name the service, such as nginx.service"),
    ],
)
def test_a_wrong_field_says_so_and_nothing_is_lost(
    as_operator: Client, web1: Server, changed: dict[str, str], field: str, said: str
) -> None:
    given = typed(**changed)
    shown = text(as_operator.post(NEW, given), 400)
    found = errors(shown)
    assert set(found) == {field}
    assert found[field].startswith(said)
    held = typed_in(shown) if field not in ("kind", "metric") else {}
    lost = {name: value for name, value in held.items() if name in given and str(given[name]) != value}
    assert lost == {} or field in ("severity", "contacts")
    assert not Rule.objects.exists()


def test_another_kind_comes_with_its_own_fields_and_limit(as_operator: Client, web1: Server) -> None:
    sent = typed(kind=kinds.PROCESS_MEMORY, limit="91")
    shown = text(as_operator.get(f"{LIST}fields/", sent, headers=HTMX))
    assert 'name="pattern"' in shown
    assert 'name="limit" value="1024"' in shown
    assert 'name="metric"' not in shown
    assert "<html" not in shown
    whole = text(as_operator.post(NEW, {**sent, "again": "fields"}))  # without scripts
    assert 'name="limit" value="1024"' in whole
    assert f'value="{MEMORY.name}"' in whole
    assert not Rule.objects.exists()


def test_the_scope_tells_how_many_it_means(as_operator: Client, web1: Server, web2: Server, db1: Server) -> None:
    address = f"{LIST}matches/"
    assert "2 servers match now; new ones join by themselves." in text(as_operator.get(address, {"scope": ""}))
    assert "1 server matches now" in text(as_operator.get(address, {"scope": "srv-web-01"}))
    assert "quotation mark" in text(as_operator.get(address, {"scope": '"'}))


def test_a_new_rule_begins_with_the_groups_of_who_makes_it(as_operator: Client, as_admin: Client) -> None:
    assert 'name="scope" maxlength="300" autocomplete="off" spellcheck="false" value="group:web"' in text(
        as_operator.get(NEW)
    )
    assert 'spellcheck="false" value=""' in text(as_admin.get(NEW))
    assert 'value="group:web role=x"' in text(as_operator.get(NEW, {"scope": "group:web role=x"}))


def test_of_two_editors_the_second_is_shown_both(as_operator: Client, operator: User, admin: User) -> None:
    one = rule(operator)
    sent = {**typed(name="Mine"), "seen": wanted.stamp(wanted.of(one))}
    changes.change(admin, one, MEMORY._replace(limit=97))
    shown = text(as_operator.post(f"{LIST}{one.pk}/", sent), 409)
    assert "Somebody changed this rule while you did" in shown
    assert "It is now: memory used above 97% for 5 min (group:web), by ada." in shown
    assert re.search(r"ada changed it on <time [^>]*>[^<]*</time> \(limit\)\.", shown)
    assert 'value="Mine"' in shown
    assert Rule.objects.get().limit == 97
    (seen,) = re.findall(r'name="seen" value="(\w+)"', shown)
    assert as_operator.post(f"{LIST}{one.pk}/", {**sent, "seen": seen}).status_code == 302
    assert (Rule.objects.get().name, Rule.objects.get().limit) == ("Mine", 90)


def test_all_wrong_fields_are_named_at_once(as_operator: Client, web1: Server) -> None:
    contact()
    given = {"name": "", "limit": "150", "clear_limit": "", "for": "-5", "k": "9", "n": "3", "scope": "group:"}
    found = errors(text(as_operator.post(NEW, typed(**given, escalate_after="0")), 400))
    assert set(found) == {"name", "limit", "for", "k", "scope", "escalate_after", "escalate_to"}
    assert found["for"] == "Write a span of time such as 5 min."
    assert found["limit"] == "must be a number from 0 to 100"
    assert not Rule.objects.exists()


def test_without_any_contact_left_a_rule_that_escalated_can_be_saved(as_operator: Client, operator: User) -> None:
    one = rule(operator, escalate_to=(contact().pk,), escalate_after_sec=900)
    Contact.objects.all().delete()
    address = f"{LIST}{one.pk}/"
    assert as_operator.post(address, typed_in(text(as_operator.get(address)))).status_code == 302
    assert Rule.objects.get().escalate_after_sec is None


def test_what_is_wrong_under_more_is_not_hidden(as_operator: Client) -> None:
    assert "<details open><summary>More" in text(as_operator.post(NEW, typed(clear_limit="x")), 400)


def test_a_rule_that_somebody_deleted_can_be_saved_as_a_new_one(
    as_operator: Client, operator: User, admin: User
) -> None:
    one = rule(operator)
    address, sent = f"{LIST}{one.pk}/", {**typed(name="Mine"), "seen": wanted.stamp(wanted.of(one))}
    changes.delete(admin, one)
    for given, wrong in ((sent, set()), ({**sent, "limit": "x"}, {"limit"})):
        answer = as_operator.post(address, given)
        shown = text(answer, answer.status_code)
        assert answer.status_code in (400, 409)
        assert "Somebody deleted this rule meanwhile. What you filled in is still here" in shown
        assert "Save as a new rule" in shown
        assert f'action="{NEW}"' in shown
        assert set(errors(shown)) == wrong
        assert 'value="Mine"' in shown
    assert not Rule.objects.kept().exists()
    made = as_operator.post(NEW, typed_in(text(as_operator.post(address, sent), 409)))
    assert made["Location"] == LIST
    assert [one.name for one in Rule.objects.kept()] == ["Mine"]


def test_of_a_deleted_rule_who_may_not_change_it_learns_nothing(
    as_viewer: Client, as_outsider: Client, operator: User
) -> None:
    one = rule(operator)
    changes.delete(operator, one)
    for who in (as_viewer, as_outsider):
        assert who.post(f"{LIST}{one.pk}/", typed()).status_code == 403


@pytest.mark.parametrize("kind", [name for name, one in kinds.KINDS.items() if one.group == kinds.PROCESS])
def test_all_together_is_offered_where_there_is_a_sum(as_operator: Client, operator: User, kind: str) -> None:
    summed = kind in kinds.SUMMED
    assert ('name="together"' in text(as_operator.get(NEW, {"kind": kind}))) == summed
    begun = wanted.usual(kind)
    begun = begun._replace(name="New", scope="group:web", params={**begun.params, "pattern": "nginx"})
    as_operator.post(NEW, {**typed(begun), "together": "on"})
    assert Rule.objects.get().params["together"] is summed


def test_contacts_that_are_told_nothing_say_why(as_operator: Client) -> None:
    contact("well")
    Contact.objects.filter(pk=contact("away").pk).update(enabled=False)
    Contact.objects.filter(pk=contact("hurt").pk).update(broken_at=timezone.now())
    shown = text(as_operator.get(NEW))
    for field in ("contacts", "escalate_to"):
        said = dict(re.findall(rf'name="{field}" value="\d+"> (\w+) <span class="muted">([^<]*)</span>', shown))
        assert said == {"well": "E-mail", "away": "E-mail, off", "hurt": "E-mail, broken"}


def test_a_remedy_for_what_no_server_has_is_saved_and_said(as_operator: Client, web1: Server) -> None:
    answer = as_operator.post(NEW, typed(remedy_cmd="restart", remedy_target="ngnix.service"))
    assert answer.status_code == 302
    said = "o server that the rule applies to has reported a service named ngnix.service"
    assert f"n{said}" in text(as_operator.get(LIST))
    one = Rule.objects.get()
    assert f"N{said}" in text(as_operator.get(f"{LIST}{one.pk}/"))
    service(web1, "ngnix.service")
    assert said not in text(as_operator.get(f"{LIST}{one.pk}/"))


def test_only_an_admin_is_offered_protected_services(
    as_operator: Client, as_admin: Client, operator: User, admin: User
) -> None:
    one = rule(admin, FAILED, remedy_cmd="restart", remedy_protected=True)
    address = f"{LIST}{one.pk}/"
    assert "Protected services, too" in text(as_admin.get(address))
    shown = text(as_operator.get(address))
    assert "Protected services, too" not in shown
    found = errors(text(as_operator.post(address, typed(wanted.of(one))), 400))
    assert found == {"remedy_protected": "must be false: only an admin lets a rule act on protected services"}


def test_a_clone_is_a_new_rule(as_operator: Client, operator: User) -> None:
    one = rule(operator, contacts=(contact().pk,))
    shown = text(as_operator.get(f"{LIST}{one.pk}/clone/"))
    assert f'value="{MEMORY.name} 2"' in shown
    assert f'action="{NEW}"' in shown
    as_operator.post(NEW, typed_in(shown))
    assert [one.name for one in Rule.objects.kept()] == [MEMORY.name, f"{MEMORY.name} 2"]
    assert Rule.objects.get(name=f"{MEMORY.name} 2").contacts.count() == 1


@pytest.mark.parametrize(("kind", "said"), [(kinds.MISSING, True), (kinds.TOO_MANY, True), (kinds.PROCESS_CPU, False)])
def test_what_is_counted_says_that_tables_are_cut(as_operator: Client, kind: str, said: bool) -> None:
    shown = text(as_operator.get(NEW, {"kind": kind}))
    assert ("table lists 500 processes at most" in shown) is said
