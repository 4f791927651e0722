"""Asking for signals and other nice values: who may, for which process, and what is said where it is refused."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from django.test import Client

from actions import ask, lifecycle, states
from actions.models import AuditEntry, Command
from pmonitor.live import View
from pmonitor.problems import Problem
from servers import server_live
from servers.models import Server
from tests.actions.making import CAN_SIGNAL, SLEEP, TERM, command, result, with_processes
from tests.actions.pages import text

pytestmark = pytest.mark.django_db
PAGE = "/servers/srv-web-01/processes/4711-815/act/"
GIVEN = {"do": "TERM", "reason": "It hangs", "within": "60", "name": "sleep", "boot_id": TERM["bootId"]}
HTMX = {"HX-Request": "true"}


def asked(user: Any, server: Server, cmd: str = "signal", target: str = "sleep[4711]", **args: Any) -> Command:
    return ask.ask(user, server, cmd, target, args={**TERM, **args}).command


def denied(user: Any, server: Server, *given: str, **args: Any) -> str:
    with pytest.raises(Problem) as problem:
        asked(user, server, *given, **args)
    return problem.value.sentence


def test_the_command_carries_the_process_as_it_was_seen(operator: Any, web1: Server) -> None:
    with_processes(web1)
    made = asked(operator, web1)
    assert (made.cmd, made.target, made.args, made.expect) == ("signal", "sleep[4711]", TERM, None)
    assert made.evidence["listed"] == {"name": "sleep", "user": "ana", "cmdline": "sleep 600"}
    assert AuditEntry.objects.get(command=made).facts == {"args": TERM}


def test_the_same_signal_joins_and_another_waits(operator: Any, web1: Server) -> None:
    with_processes(web1)
    made = asked(operator, web1)
    assert asked(operator, web1) == made
    assert "asked to signal it" in denied(operator, web1, signal="KILL")


@pytest.mark.parametrize(
    ("proc", "facts", "words"),
    [
        ({"pid": 99}, {}, "There is no process with PID 4711 in the newest report."),
        (
            {"start_ticks": 90_000, "name": "vim"},
            {},
            "PID 4711 is another process than the one you saw: now it is vim.",
        ),
        ({"name": "slept"}, {}, "The process with PID 4711 is called slept now."),
        ({}, {"bootId": "another"}, "The server was started again since you looked: that process is no more."),
        ({}, {"features": []}, "The agent of this server cannot signal or renice processes."),
        ({}, {"features": None, "allow": None}, "The agent of this server cannot signal or renice processes."),
        ({}, {"allow": ["renice:sleep", "signal:slee"]}, "srv-web-01's owner does not allow signal of sleep."),
        ({"ppid": 2, "cmdline": ""}, {}, "owner does not allow"),
    ],
)
def test_what_may_not_be_signalled_is_denied_and_on_record(
    operator: Any, web1: Server, proc: dict[str, Any], facts: dict[str, Any], words: str
) -> None:
    with_processes(web1, msgspec.structs.replace(SLEEP, **proc), facts=facts)
    assert words in denied(operator, web1)
    entry = AuditEntry.objects.get(event="command.denied")
    assert entry.facts["args"] == TERM
    assert words in entry.facts["why"]


@pytest.mark.parametrize("entry", ["*:*", "signal:*", "start,signal:sleep", "*:sl?ep"])
def test_what_the_owner_allows_is_offered(operator: Any, web1: Server, entry: str) -> None:
    with_processes(web1, facts={"allow": [entry]})
    assert asked(operator, web1).state == states.QUEUED


@pytest.mark.parametrize(
    ("cmd", "args", "field"),
    [
        ("signal", {"signal": "SEGV"}, "args.signal"),
        ("signal", {"pid": "4711"}, "args.pid"),
        ("signal", {"pid": True}, "args.pid"),
        ("signal", {"startTicks": -1}, "args.startTicks"),
        ("signal", {"bootId": ""}, "args.bootId"),
        ("renice", {"nice": 20}, "args.nice"),
        ("renice", {}, "args.nice"),
        ("restart", {}, "args"),
    ],
)
def test_a_wrong_argument_is_named(
    as_operator: Client, web1: Server, cmd: str, args: dict[str, Any], field: str
) -> None:
    with_processes(web1)
    body = {"cmd": cmd, "target": "sleep[4711]", "args": {**TERM, **args}}
    answer = as_operator.post("/api/actions/srv-web-01", body, content_type="application/json")
    assert answer.status_code == 400
    assert field in answer.json()["fields"]


def test_a_program_may_ask_and_reads_the_outcome(as_operator: Client, web1: Server) -> None:
    with_processes(web1)
    body = {"cmd": "renice", "target": "sleep[4711]", "args": {**TERM, "nice": 5}}
    answer = as_operator.post("/api/actions/srv-web-01", body, content_type="application/json")
    assert answer.status_code == 201
    made = Command.objects.get()
    lifecycle.claim(web1)
    lifecycle.acknowledge(web1, made.uuid)
    seen = {"status": "sleeping", "nice": 5, "settledSec": 5}
    lifecycle.finish(web1, made.uuid, result(before={"status": "sleeping", "nice": 0}, after=seen))
    read = as_operator.get(f"/api/commands/{made.uuid}").json()
    assert (read["state"], read["sentence"]) == ("succeeded", "Its nice value is 5.")
    assert read["evidence"]["after"] == seen


def test_the_confirmation_says_which_process_where_and_how_it_is(as_operator: Client, web1: Server) -> None:
    with_processes(web1)
    shown = text(as_operator.get(PAGE))
    assert "Signal sleep, PID 4711, on srv-web-01?" in shown
    for said in ("<code>sleep 600</code>", "user ana", "12 MB", "started", "sleeping"):
        assert said in shown
    names = re.findall(r'name="do" value="(\w+)"', shown)
    assert names == ["TERM", "HUP", "INT", "KILL", "STOP", "CONT", "USR1", "USR2", "renice"]
    assert re.search(r'value="KILL"[^>]* checked', text(as_operator.get(f"{PAGE}?do=KILL")))


def test_only_what_the_owner_allows_can_be_chosen(as_operator: Client, web1: Server) -> None:
    with_processes(web1, facts={"allow": ["renice:*"]})
    shown = text(as_operator.get(PAGE))
    assert re.findall(r'name="do" value="(\w+)"', shown) == ["renice"]
    assert 'name="typed"' not in shown


@pytest.mark.parametrize("proc", [{"pid": 99}, {"start_ticks": 9}, {"name": "init"}])
def test_a_process_that_is_gone_or_closed_has_no_form(as_operator: Client, web1: Server, proc: dict[str, Any]) -> None:
    with_processes(web1, msgspec.structs.replace(SLEEP, **proc))
    shown = text(as_operator.get(PAGE))
    assert 'id="confirm-problem"' in shown
    assert 'value="run"' not in shown


def test_without_a_report_there_is_nothing_to_signal(as_operator: Client, web1: Server) -> None:
    assert 'value="run"' not in text(as_operator.get(PAGE))


def test_sending_leads_to_the_command(as_operator: Client, web1: Server) -> None:
    with_processes(web1)
    answer = as_operator.post(PAGE, GIVEN)
    made = Command.objects.get()
    assert answer["Location"] == f"/commands/{made.uuid}/"
    assert (made.target, made.args, made.reason) == ("sleep[4711]", TERM, "It hangs")
    assert "Send TERM to sleep[4711]" in text(as_operator.get(answer["Location"]))
    assert "Send TERM to sleep[4711]" in text(as_operator.get("/audit/"))


def test_htmx_gets_the_dialog_and_then_a_word(as_operator: Client, web1: Server) -> None:
    with_processes(web1)
    assert text(as_operator.get(PAGE, headers=HTMX)).startswith('<form class="confirm"')
    answer = as_operator.post(PAGE, {**GIVEN, "do": "renice", "nice": "-5"}, headers=HTMX)
    assert "Renice sleep[4711] to -5 is queued." in text(answer)
    assert answer["HX-Trigger-After-Swap"] == "pm:asked"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"reason": ""}, "Say why: the audit trail keeps it."),
        ({"do": "KILL"}, "Type sleep or srv-web-01."),
        ({"do": "KILL", "typed": "slee"}, "Type sleep or srv-web-01."),
        ({"do": "renice"}, "Use a whole number from −20 to 19."),
        ({"do": "renice", "nice": "20"}, "Use a whole number from −20 to 19."),
        ({"do": "renice", "nice": "x"}, "Use a whole number from −20 to 19."),
        ({"do": "SEGV"}, "SEGV"),
        ({"boot_id": "another"}, "The server was started again since you looked"),
        ({"name": "vim"}, "is called sleep now"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_sent(
    as_operator: Client, web1: Server, given: dict[str, str], said: str
) -> None:
    with_processes(web1)
    answer = as_operator.post(PAGE, {**GIVEN, **given})
    assert answer.status_code in (400, 409)
    assert said in answer.content.decode()
    assert not Command.objects.exists()


@pytest.mark.parametrize("typed", ["sleep", "srv-web-01"])
def test_kill_wants_the_process_or_the_server_typed(as_operator: Client, web1: Server, typed: str) -> None:
    with_processes(web1)
    assert as_operator.post(PAGE, {**GIVEN, "do": "KILL", "typed": typed}).status_code == 302
    assert Command.objects.get().args["signal"] == "KILL"


def test_viewers_and_other_scopes_get_nothing(
    as_viewer: Client, as_operator: Client, as_outsider: Client, web1: Server
) -> None:
    with_processes(web1)
    assert as_outsider.get(PAGE).status_code == as_outsider.post(PAGE, GIVEN).status_code == 404
    assert as_viewer.get(PAGE).status_code == as_viewer.post(PAGE, GIVEN).status_code == 403
    assert 'href="processes/4711-815/act/"' not in text(as_viewer.get("/servers/srv-web-01/"))
    assert 'href="processes/4711-815/act/"' in text(as_operator.get("/servers/srv-web-01/"))
    assert not Command.objects.exists()


def test_rows_are_pushed_with_their_links_to_those_who_may_act_alone(web1: Server) -> None:
    with_processes(web1)

    def pushed(role: str, before: Any = None) -> tuple[Any, str]:
        now, messages = server_live.update(str(web1.pk), View("en", role), before)
        return now, "".join(messages)

    assert '/act/"' not in pushed("viewer")[1]
    before, html = pushed("operator")
    assert 'aria-label="Signal PID 4711"' in html
    with_processes(web1, facts={"allow": []})
    after, html = pushed("operator", before)
    assert '<tbody id="procs">' in html
    assert '/act/"' not in html
    assert '<tbody id="procs">' not in pushed("operator", after)[1]


@pytest.mark.parametrize("facts", [{"features": []}, {"allow": ["restart:sleep"]}, {"bootId": None}])
def test_no_link_where_it_would_lead_to_a_refusal(as_operator: Client, web1: Server, facts: dict[str, Any]) -> None:
    with_processes(web1, facts=facts)
    assert '/act/"' not in text(as_operator.get("/servers/srv-web-01/"))


def test_what_an_agent_calls_a_process_stays_text(as_operator: Client, web1: Server) -> None:
    hostile = msgspec.structs.replace(SLEEP, name='sl"><img src=x>\u202e', cmdline="<i>")
    with_processes(web1, hostile, facts={"allow": ["*:*"]})
    for page in (PAGE, "/servers/srv-web-01/"):
        shown = text(as_operator.get(page))
        assert "<img" not in shown
        assert "<i>" not in shown


def ended(server: Server, verdict: str, **args: Any) -> Command:
    state = states.SUCCEEDED if verdict == "ended" else states.FAILED
    facts = {"signal": "TERM", "heldSec": 5.0}
    seen = {
        "before": {"status": "sleeping", "nice": 0},
        "after": {"status": "zombie"},
        "listed": {"cmdline": "sleep 600"},
    }
    return command(
        server, state, cmd="signal", target="sleep[4711]", args={**TERM, **args}, verdict=verdict, facts=facts,
        evidence=seen,
    )  # fmt: skip


def test_what_is_still_there_may_be_killed_from_its_page(as_operator: Client, as_viewer: Client, web1: Server) -> None:
    with_processes(web1)
    there = ended(web1, "still_there")
    shown = text(as_operator.get(f"/commands/{there.uuid}/"))
    assert "It is still there 5 s after TERM." in shown
    assert "Send KILL…" in shown
    assert f'href="{PAGE}?do=KILL"' in shown
    assert "kill -TERM 4711" in shown
    assert "sleep 600" in shown
    assert "zombie" in shown
    assert "Send KILL…" not in text(as_viewer.get(f"/commands/{there.uuid}/"))


def test_what_is_gone_is_not_offered_again(as_operator: Client, web1: Server) -> None:
    with_processes(web1, msgspec.structs.replace(SLEEP, pid=99))
    assert 'id="do-again"' not in text(as_operator.get(f"/commands/{ended(web1, 'ended').uuid}/"))


def test_the_entries_say_which_rows_have_a_link(as_operator: Client, web1: Server) -> None:
    many = [
        msgspec.structs.replace(SLEEP, pid=pid, name=name) for pid, name in ((1, "sleep"), (50, "cat"), (51, "sleep"))
    ]
    with_processes(web1, *many, facts={**CAN_SIGNAL, "allow": ["signal:sleep"]})
    assert re.findall(r'href="processes/(\d+)-\d+/act/"', text(as_operator.get("/servers/srv-web-01/"))) == ["51"]
