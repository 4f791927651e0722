"""What the agent's user is given by polkit and sudo: exactly what ALLOW says, as far as systemd's services go."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import dukpy  # type: ignore[import-untyped]
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent import config, grants
from agent.allow import SERVICE_VERBS, UNIT_NAME, Allow, parts
from tests.agent.conftest import ROOT

SYSTEMCTL = "/usr/bin/systemctl"
MANAGE = "org.freedesktop.systemd1.manage-units"
# The rule's answers to a list of questions, each (action, user, unit, verb).
POLKIT = """
var rules = [], polkit = {addRule: function (f) { rules.push(f); }, Result: {YES: "yes", NO: "no", NOT_HANDLED: null}};
%s
var answers = dukpy.asked.map(function (one) {
    var details = {unit: one[2], verb: one[3]};
    var action = {id: one[0], lookup: function (key) { return details[key] === null ? undefined : details[key]; }};
    return rules.length ? rules[0](action, {user: one[1]}) : null;
});
answers;
"""
UNITS = ["nginx.service", "app-a.service", "app-b1.service", "a.b.service", "a@b:1.service", r"dev\x2d1.service"]
UNITS += ["nginx.socket", "nginxXservice", "Nginx.service", "-odd.service", "nginx.service.service", "a b.service", ""]
PATTERN = st.text("ab-.*?[]!\\^:@é", max_size=8).map(lambda text: text + "*")
NAME = st.text("ab-.:@\\", min_size=1, max_size=6).map(lambda text: text + ".service")


def answers(allow: str, asked: list[tuple[str, str, str | None, str | None]]) -> list[str | None]:
    """What the engine that polkit runs rules on makes of the rule."""
    found: list[str | None] = dukpy.evaljs(POLKIT % grants.polkit_rule(Allow(allow)), asked=asked)
    return found


def meant(allow: str, verb: str, unit: str) -> bool:
    return unit.endswith(".service") and bool(UNIT_NAME.fullmatch(unit)) and Allow(allow).permits(verb, unit)


@pytest.mark.parametrize(
    "allow",
    [
        "restart:nginx.service", "*:*", "start,stop:app-[ab]*.service reload:a?b.service", "*:[!n]*", "stop:[]a-]*",
        "*:a[b.service", "restart:[z-a]*", "start:a@b:1.service", r"*:dev\x2d1.service", "*:*é*", "stop:[[]*",
    ],
)  # fmt: skip
def test_polkit_says_yes_to_what_the_owner_allows_and_no_to_the_rest(allow: str) -> None:
    cases = [(verb, unit) for verb in (*SERVICE_VERBS, "kill", "reload-or-restart") for unit in UNITS]
    said = answers(allow, [(MANAGE, "pmonitor-agent", unit, verb) for verb, unit in cases])
    assert said == ["yes" if meant(allow, verb, unit) else "no" for verb, unit in cases]


@settings(max_examples=150, deadline=None)
@given(pattern=PATTERN, names=st.lists(NAME, max_size=20))
@example(pattern="[]-a]*", names=["-.service", "a.service", "b.service"])
def test_a_pattern_means_to_polkit_what_it_means_to_the_agent(pattern: str, names: list[str]) -> None:
    said = answers(f"stop:{pattern}", [(MANAGE, "pmonitor-agent", name, "stop") for name in names])
    assert said == ["yes" if meant(f"stop:{pattern}", "stop", name) else "no" for name in names]


def test_the_rule_is_about_the_agents_user_and_units_alone() -> None:
    asked = [(MANAGE, "oleg", "a.service", "stop"), ("org.freedesktop.login1.reboot", "pmonitor-agent", None, None)]
    assert answers("*:*", [*asked, (MANAGE, "pmonitor-agent", None, None)]) == [None, None, "no"]


@pytest.mark.parametrize("allow", ["", "signal,renice:*", "restart:web stop:jobs:one"])
def test_nothing_about_systemd_makes_no_rule(allow: str) -> None:
    assert grants.polkit_rule(Allow(allow)) == grants.sudoers(Allow(allow), SYSTEMCTL) == ""


def test_a_patterns_parts_are_the_pattern() -> None:
    assert parts("a*[!]x]?[b") == ["a", "*", "[!]x]", "?", "[", "b"]
    assert parts("[]") == ["[", "]"]


def test_sudo_is_told_each_command_in_full() -> None:
    told = grants.sudoers(Allow("restart,stop:nginx.service start:a@b:1.service start:pm-*.service"), SYSTEMCTL)
    assert told.splitlines()[1:] == [
        f"pmonitor-agent ALL=(root) NOPASSWD: {SYSTEMCTL} stop --no-ask-password -- nginx.service",
        f"pmonitor-agent ALL=(root) NOPASSWD: {SYSTEMCTL} restart --no-ask-password -- nginx.service",
        rf"pmonitor-agent ALL=(root) NOPASSWD: {SYSTEMCTL} start --no-ask-password -- a@b\:1.service",
    ]


@pytest.mark.parametrize(
    "entry", ["start:pm-*.service", "*:*", "stop:a?.service", "stop:[ab].service", r"stop:a\x2d.service"]
)
def test_what_sudo_cannot_say_is_named(entry: str) -> None:
    (problem,) = grants.problems(Allow(f"stop:nginx.service {entry} signal:x*"), grants.SUDO)
    assert problem.startswith(f"ALLOW: {entry!r} does not name one unit;")
    assert grants.problems(Allow(entry), grants.POLKIT) == []


def test_without_polkit_and_sudo_only_what_needs_them_is_a_problem() -> None:
    assert "install polkitd" in grants.problems(Allow("restart:nginx.service"), "")[0]
    assert grants.problems(Allow("restart:web signal:nginx"), "") == []


def test_an_agent_that_acts_by_sudo_does_not_start_with_a_pattern() -> None:
    environ = {"API": "http://hub", "ACT_BY": "sudo", "ALLOW": "stop:a.service"}
    assert config.load(environ, Path("/dev/null")).by_sudo
    with pytest.raises(config.ConfigError, match=r"'stop:b-\*\.service' does not name one unit"):
        config.load({**environ, "ALLOW": "stop:b-*.service"}, Path("/dev/null"))


def test_the_owner_can_look_at_what_will_be_granted() -> None:
    environ = {"API": "http://hub", "ALLOW": "stop:a-*.service", "PATH": os.environ["PATH"]}

    def printed(option: str) -> tuple[int, str]:
        argv = [sys.executable, "-m", "agent", option]
        done = subprocess.run(argv, cwd=ROOT, env=environ, text=True, capture_output=True, check=False)
        return done.returncode, done.stdout

    assert printed("--print-polkit-rule") == (0, grants.polkit_rule(Allow(environ["ALLOW"])))
    assert printed("--print-sudoers") == (2, "")


@pytest.mark.parametrize(
    ("allow", "way", "has", "lacks"),
    [
        ("restart:a.service", grants.POLKIT, [], ["Service"]),
        ("signal:x", grants.POLKIT, ["AmbientCapabilities=CAP_KILL\n"], ["CAP_SYS_NICE", "SystemCallFilter"]),
        ("renice:x", grants.POLKIT, ["AmbientCapabilities=CAP_SYS_NICE\n", "SystemCallFilter=setpriority\n"], ["KILL"]),
        ("*:*", grants.POLKIT, ["AmbientCapabilities=CAP_KILL CAP_SYS_NICE\n"], ["NoNewPrivileges"]),
        ("signal:x", grants.SUDO, ["AmbientCapabilities=CAP_KILL\n"], ["ACT_BY"]),
        ("renice:x stop:a.service", grants.SUDO, ["ACT_BY=sudo", "SystemCallFilter=\n"], ["setpriority"]),
    ],
)
def test_the_unit_gets_what_its_owners_entries_need(allow: str, way: str, has: list[str], lacks: list[str]) -> None:
    made = grants.drop_in(Allow(allow), way)
    assert [text for text in has if text not in made] == []
    assert [text for text in lacks if text in made] == []


def test_the_rule_is_read_by_people() -> None:
    assert "/^nginx\\.service$/" in grants.polkit_rule(Allow("stop:nginx.service"))
    assert json.dumps(["stop"]) in grants.polkit_rule(Allow("stop:nginx.service"))
