"""The people, groups and servers of all tests.

web1 and web2 are in the group "web", db1 in "db". viewer and operator see "web", outsider is an operator who sees "db",
admin sees all, nobody is signed in without a role.
"""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from pmonitor import access, secrets, tokens
from servers.models import Scope, Server, ServerGroup

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


def person(name: str, role: str | None, *groups: ServerGroup) -> User:
    """A user with a role and a scope; the password is never usable, see signed_in."""
    user = User.objects.create_user(name)
    if role is not None:
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    if groups:
        Scope.objects.create(user=user).groups.set(groups)
    return user


def enrolled(agent_id: str, group: ServerGroup | None = None) -> tuple[Server, str]:
    """A server as registering leaves it, and its agent's token."""
    token, prefix, hashed = secrets.new("pma")
    server = Server.objects.create(
        agent_id=agent_id, hostname=agent_id, group=group, token_prefix=prefix, token_hash=hashed
    )
    return server, token


def signed_in(user: User) -> Client:
    """A browser of this user."""
    client = Client()
    client.force_login(user, backend=MODEL_BACKEND)
    return client


def program_of(user: User) -> Client:
    """A program with an API token of this user."""
    return Client(headers={"Authorization": f"Bearer {tokens.new(user, 'test')}"})


def agent_with(token: str) -> Client:
    """An agent that sends this token."""
    return Client(headers={"X-Agent-Token": token})


@pytest.fixture
def web_group(db: None) -> ServerGroup:
    return ServerGroup.objects.create(name="web")


@pytest.fixture
def db_group(db: None) -> ServerGroup:
    return ServerGroup.objects.create(name="db")


@pytest.fixture
def enrolled_web1(web_group: ServerGroup) -> tuple[Server, str]:
    return enrolled("srv-web-01", web_group)


@pytest.fixture
def web1(enrolled_web1: tuple[Server, str]) -> Server:
    return enrolled_web1[0]


@pytest.fixture
def agent_token(enrolled_web1: tuple[Server, str]) -> str:
    """The token of web1's agent."""
    return enrolled_web1[1]


@pytest.fixture
def web2(web_group: ServerGroup) -> Server:
    return enrolled("srv-web-02", web_group)[0]


@pytest.fixture
def enrolled_db1(db_group: ServerGroup) -> tuple[Server, str]:
    return enrolled("srv-db-01", db_group)


@pytest.fixture
def db1(enrolled_db1: tuple[Server, str]) -> Server:
    return enrolled_db1[0]


@pytest.fixture
def other_agent_token(enrolled_db1: tuple[Server, str]) -> str:
    """The token of db1's agent."""
    return enrolled_db1[1]


@pytest.fixture
def viewer(web_group: ServerGroup) -> User:
    return person("vera", access.VIEWER, web_group)


@pytest.fixture
def operator(web_group: ServerGroup) -> User:
    return person("oleg", access.OPERATOR, web_group)


@pytest.fixture
def outsider(db_group: ServerGroup) -> User:
    return person("otto", access.OPERATOR, db_group)


@pytest.fixture
def admin(db: None) -> User:
    return person("ada", access.ADMIN)


@pytest.fixture
def nobody(db: None) -> User:
    return person("nils", None)


@pytest.fixture
def agent(agent_token: str) -> Client:
    """Web1's agent."""
    return agent_with(agent_token)


@pytest.fixture
def as_viewer(viewer: User) -> Client:
    return signed_in(viewer)


@pytest.fixture
def as_operator(operator: User) -> Client:
    return signed_in(operator)


@pytest.fixture
def as_outsider(outsider: User) -> Client:
    return signed_in(outsider)


@pytest.fixture
def as_admin(admin: User) -> Client:
    return signed_in(admin)
