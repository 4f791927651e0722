"""One server by its id: the same to everybody as the ORM's rule of who sees what."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User

from pmonitor import access
from servers import one
from servers.models import Scope, Server
from tests.cast import person

pytestmark = pytest.mark.django_db


def test_it_is_seen_as_the_rule_says(
    web1: Server, db1: Server, viewer: User, operator: User, outsider: User, admin: User, nobody: User
) -> None:
    groupless = Server.objects.create(agent_id="srv-alone", hostname="alone", token_prefix="x", labels={"env": "prod"})
    all_seeing, unscoped = person("vic", access.VIEWER), person("uma", access.OPERATOR)
    Scope.objects.update_or_create(user=all_seeing, defaults={"everything": True})
    resting = User.objects.create(username="rita", is_active=False, is_superuser=True)
    people: list[Any] = [viewer, operator, outsider, admin, nobody, all_seeing, unscoped, resting, AnonymousUser()]
    seen = {}
    for user in people:
        for server in (web1, db1, groupless):
            by_rule = Server.objects.visible_to(user).filter(agent_id=server.agent_id).first()
            assert one.visible_to(user, server.agent_id) == by_rule, (user, server)
            seen[str(user), server.agent_id] = by_rule is not None
    assert {name for (name, server), is_seen in seen.items() if server == "srv-alone" and is_seen} == {"ada", "vic"}
    assert {name for (name, server), is_seen in seen.items() if server == "srv-web-01" and is_seen} == {
        "vera",
        "oleg",
        "ada",
        "vic",
    }


def test_it_comes_with_all_of_its_columns(web1: Server, admin: User) -> None:
    Server.objects.update(labels={"env": "prod"}, allowed_networks=["10.0.0.0/8"])
    found, whole = one.visible_to(admin, web1.agent_id), Server.objects.get(pk=web1.pk)
    for field in Server._meta.concrete_fields:
        assert getattr(found, field.attname) == getattr(whole, field.attname), field.name


def test_a_scope_that_is_taken_away_acts_at_once(web1: Server, operator: User) -> None:
    assert one.visible_to(operator, web1.agent_id) == web1
    Scope.objects.get(user=operator).groups.clear()
    assert one.visible_to(operator, web1.agent_id) is None


@pytest.mark.parametrize("agent", ["", "unheard-of", "%00", "\0", "' OR true --"])
def test_what_is_not_there(web1: Server, admin: User, agent: str) -> None:
    assert one.visible_to(admin, agent) is None
    assert one.with_token(agent) is None


def test_a_role_that_is_taken_away_acts_at_the_next_request(web1: Server, operator: User) -> None:
    operator.groups.set([])
    assert one.visible_to(User.objects.get(pk=operator.pk), web1.agent_id) is None
    operator.groups.add(Group.objects.get(name=access.OPERATOR))
    assert one.visible_to(User.objects.get(pk=operator.pk), web1.agent_id) == web1
