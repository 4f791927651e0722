"""What is learnt of a command after it ended."""

from __future__ import annotations

import pytest

from actions import lifecycle, states, verdicts
from actions.models import AuditEntry
from servers.models import Server
from tests.actions.making import FAILED, command, result

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("state", states.ENDED)
def test_a_result_for_what_has_ended_is_kept_once_and_changes_nothing(web1: Server, state: str) -> None:
    there = command(web1, state)
    for exit_code in (1, 1, 3):
        assert lifecycle.finish(web1, there.uuid, result(after=FAILED, exitCode=exit_code)) == state
    there.refresh_from_db()
    late = there.evidence.pop("late")
    assert (there.state, there.verdict, there.evidence) == (state, "", {})
    assert (late["state"], late["verdict"], late["result"]["exitCode"]) == ("failed", "stopped_not_started", 1)
    (entry,) = AuditEntry.objects.filter(command=there, event="command.late_result")
    assert (entry.to_state, entry.facts["outcome"]) == ("", "done")
    there.evidence["late"] = late
    assert verdicts.late(there).startswith("The agent's answer came after that, and changes nothing: It was stopped")
