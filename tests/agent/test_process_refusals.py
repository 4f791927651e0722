"""What nobody may do to a process: each refused with its reason, and the process left alone."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent import oneprocess, process_action
from agent.command import Refused
from tests.agent.processes import Starter, actions, order


@pytest.mark.parametrize("kept", ["pidfd", "no pidfd"])
def test_the_pid_of_another_process_is_refused_and_left_alone(
    start: Starter, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    process = start()
    command = order(process.pid, signal="KILL")
    if kept == "no pidfd":
        monkeypatch.setattr(process_action, "_pidfd", lambda _pid: -1)
    recycled = command._replace(args={**command.args, "startTicks": command.args["startTicks"] - 100})
    with pytest.raises(Refused, match="another process than the one you saw: now it is sleep"):
        actions().check(recycled)
    action = actions().check(command)
    monkeypatch.setattr(oneprocess, "look", lambda pid: None)  # between the check and the act it ends
    assert action.act(60).output == "nothing was sent: the process was gone before it could be"
    monkeypatch.undo()
    assert process.poll() is None


def test_a_process_of_an_earlier_boot_is_refused(start: Starter) -> None:
    command = order(start().pid, signal="TERM")
    with pytest.raises(Refused, match="started again"):
        actions().check(command._replace(args={**command.args, "bootId": "another"}))


def test_a_process_that_became_another_program_is_refused(start: Starter) -> None:
    command = order(start().pid, signal="TERM")
    with pytest.raises(Refused, match="its name was sh, is sleep"):
        actions().check(command._replace(target=f"sh[{command.args['pid']}]"))


def test_one_that_is_gone_is_refused(start: Starter) -> None:
    process = start()
    command = order(process.pid, signal="TERM")
    process.kill()
    process.wait()
    with pytest.raises(Refused, match=f"no process with PID {process.pid} any more"):
        actions().check(command)


@pytest.mark.parametrize(
    ("allow", "verb", "args"),
    [
        ("", "signal", {"signal": "TERM"}),
        ("signal:slee", "signal", {"signal": "TERM"}),
        ("renice:sleep", "signal", {"signal": "TERM"}),
        ("start,stop,restart,reload:*", "signal", {"signal": "TERM"}),
        ("signal:*", "renice", {"nice": 5}),
    ],
)
def test_what_the_owner_does_not_allow_is_refused(start: Starter, allow: str, verb: str, args: dict[str, Any]) -> None:
    with pytest.raises(Refused, match=f"owner does not allow the hub to {verb} sleep"):
        actions(allow).check(order(start().pid, verb, **args))


def test_an_entry_for_the_process_allows_it(start: Starter) -> None:
    assert actions("signal:sl*p").check(order(start().pid, signal="CONT")).before["status"] in ("sleeping", "running")


@pytest.mark.parametrize(
    ("verb", "args", "words"),
    [
        ("signal", {"signal": "SEGV"}, "args.signal is not one of TERM"),
        ("signal", {}, "args.signal"),
        ("renice", {"nice": 20}, "args.nice is not a whole number from -20 to 19"),
        ("renice", {"nice": True}, "args.nice"),
        ("signal", {"signal": "TERM", "pid": "1"}, "args.pid"),
        ("signal", {"signal": "TERM", "startTicks": None}, "args.startTicks"),
        ("signal", {"signal": "TERM", "bootId": ""}, "args.bootId"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(start: Starter, verb: str, args: dict[str, Any], words: str) -> None:
    command = order(start().pid, verb)
    with pytest.raises(Refused, match=words):
        actions().check(command._replace(args={**command.args, **args}))


@pytest.mark.parametrize("target", ["sleep", "sleep[1]", "[]", "sleep[x]"])
def test_a_target_that_is_not_the_process_is_refused(start: Starter, target: str) -> None:
    with pytest.raises(Refused, match=r"is not NAME\[PID\]"):
        actions().check(order(start().pid, target=target, signal="TERM"))


def test_nobody_touches_what_the_server_hangs_on(start: Starter) -> None:
    with pytest.raises(Refused, match="PID 1 is not touched"):
        actions().check(order(1, signal="TERM"))
    with pytest.raises(Refused, match="the agent itself"):
        actions().check(order(os.getpid(), signal="TERM"))
    with pytest.raises(Refused, match="the agent itself, or what started it"):
        actions().check(order(os.getppid(), "renice", nice=19))
    with pytest.raises(Refused, match="sleep is protected"):
        actions(protect=("sl*",)).check(order(start().pid, signal="TERM"))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"name": "sshd"}, "sshd is protected"),
        ({"name": "systemd-udevd"}, "systemd-udevd is protected"),
        ({"name": "containerd-shim"}, "protected"),
        ({"kernel": True}, "is a kernel thread"),
        ({"leads": False}, "is a thread, not a process"),
        ({"name": "sshd-session"}, ""),
    ],
)
def test_what_is_untouchable_is_said(start: Starter, facts: dict[str, Any], words: str) -> None:
    process = start()
    seen = oneprocess.look(process.pid)
    assert seen
    said = oneprocess.untouchable(process.pid, seen._replace(**facts))
    assert (words in said) if words else said == ""


def test_kernel_threads_and_threads_are_known_as_such() -> None:
    pids = map(int, filter(str.isdigit, os.listdir("/proc")))
    kernel = [pid for pid in pids if (seen := oneprocess.look(pid)) and seen.kernel]
    assert all(not Path(f"/proc/{pid}/cmdline").read_bytes() for pid in kernel)
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    seen = oneprocess.look(int(thread.native_id or 0))
    over.set()
    assert seen
    assert not seen.leads


def as_nobody(check: Callable[[], str]) -> str:
    """What the check says in a process that has no rights; itself without rights it needs none taken away."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        if os.getuid() == 0:
            os.setresuid(65534, 65534, 65534)
        os.write(writing, check().encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


def test_without_the_right_to_it_a_process_is_refused() -> None:
    def check() -> str:
        try:
            process_action._may_signal(1)
        except Refused as refused:
            return str(refused)
        return "not refused"

    said = as_nobody(check)
    assert re.fullmatch(r"the agent runs as \w+ without CAP_KILL: it may not signal processes of root", said)


def test_without_the_right_to_it_another_nice_value_fails_and_says_why(start: Starter) -> None:
    command = order(start().pid, "renice", nice=-5)
    said = as_nobody(lambda: actions().check(command).act(60).output)
    assert re.fullmatch(r".+: the agent runs as \w+, see CAP_KILL and CAP_SYS_NICE", said)
