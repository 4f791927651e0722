"""The audit trail: written in a transaction or not at all, and never changed."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, transaction

from actions import audit, lifecycle
from actions.models import AuditEntry, Command
from servers.models import Server
from tests.actions.making import NGINX, command

STATEMENTS = [
    "UPDATE actions_auditentry SET actor = 'somebody else'",
    "UPDATE actions_auditentry SET actor = 'x' WHERE false",
    "DELETE FROM actions_auditentry",
    "TRUNCATE actions_auditentry",
    "TRUNCATE actions_command CASCADE",
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_entries_cannot_be_changed_even_by_sql(web1: Server, statement: str) -> None:
    command(web1)
    lifecycle.claim(web1)
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEntry.objects.get().event == "command.delivered"


@pytest.mark.django_db
def test_a_deleted_user_leaves_the_entries_as_they_are(web1: Server, operator: User) -> None:
    actor = lifecycle.Actor("Oleg", operator)
    lifecycle.queue(server=web1, cmd="stop", target=NGINX, actor=actor)
    number = operator.pk
    operator.delete()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.actor_user_id) == ("Oleg", number)


@pytest.mark.django_db(transaction=True)
def test_an_entry_outside_a_transaction_is_refused() -> None:
    with pytest.raises(audit.OutsideTransaction):
        audit.write("command.queued", actor="x")
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_no_entry_no_action(web1: Server, operator: User) -> None:
    queued = command(web1)
    with connection.cursor() as cursor:  # as where the disk is full, for this table alone
        cursor.execute("ALTER TABLE actions_auditentry ADD CONSTRAINT no_room CHECK (false) NOT VALID")
    with pytest.raises(IntegrityError), transaction.atomic():
        lifecycle.claim(web1)
    with pytest.raises(IntegrityError), transaction.atomic():
        lifecycle.cancel(operator, queued)
    with pytest.raises(IntegrityError), transaction.atomic():
        lifecycle.queue(server=web1, cmd="stop", target="b.service", actor=lifecycle.HUB)
    (kept,) = Command.objects.all()
    assert (kept, kept.state) == (queued, "queued")


@pytest.mark.django_db
def test_entries_are_seen_in_scope_and_those_of_no_server_by_admins(
    web1: Server, db1: Server, viewer: User, outsider: User, admin: User, nobody: User
) -> None:
    with transaction.atomic():
        for event, server in (("command.denied", web1), ("command.joined", db1), ("settings.changed", None)):
            audit.write(event, actor="x", server=server)
    seen = {
        user.username: sorted(AuditEntry.objects.visible_to(user).values_list("event", flat=True))
        for user in (viewer, outsider, admin, nobody)
    }
    assert seen == {
        "vera": ["command.denied"],
        "otto": ["command.joined"],
        "ada": ["command.denied", "command.joined", "settings.changed"],
        "nils": [],
    }
