"""What the agent's own user may do on this machine, made of its owner's ALLOW: a polkit rule, or sudoers lines.

`--grant` writes it; the unit runs that as root at each start of the agent, so that it always says what ALLOW says.
Both give systemd's services alone, and nothing that the agent would refuse.
"""

from __future__ import annotations

import json
import re
import string
from fnmatch import fnmatchcase

from agent.allow import SERVICE_VERBS, Allow, parts
from agent.managers import systemd

USER = "pmonitor-agent"
POLKIT, SUDO = "polkit", "sudo"
# Verb of ALLOW -> (capability, system calls beside the unit's own) that it needs; polkit has no say in these.
NEEDS = {"signal": ("CAP_KILL", ""), "renice": ("CAP_SYS_NICE", "setpriority")}
HEAD = "Written by pmonitor-agent.service at each start, from ALLOW in /etc/pmonitor/agent.env. Changes here are lost."
_UNIT_CHARACTERS = string.ascii_letters + string.digits + "_:@.\\-"
_EXACT = re.compile(r"[A-Za-z0-9_:@.][A-Za-z0-9_:@.-]*")
_COLON = "\\:"  # as sudoers spell it
_RULE = """// %(head)s
polkit.addRule(function (action, subject) {
    if (action.id !== "org.freedesktop.systemd1.manage-units" || subject.user !== %(user)s) {
        return polkit.Result.NOT_HANDLED;
    }
    var unit = action.lookup("unit"), verb = action.lookup("verb");
    if (!/^[A-Za-z0-9_:@.\\\\][A-Za-z0-9_:@.\\\\-]*\\.service$/.test(unit)) {
        return polkit.Result.NO;
    }
    var allowed = [
%(allowed)s
    ];
    for (var i = 0; i < allowed.length; i++) {
        if (allowed[i].verbs.indexOf(verb) >= 0 && allowed[i].unit.test(unit)) {
            return polkit.Result.YES;
        }
    }
    return polkit.Result.NO;
});
"""
# sudo gains privileges, which all of these would forbid: they imply NoNewPrivileges.
_FOR_SUDO = """Environment=ACT_BY=sudo
NoNewPrivileges=no
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_AUDIT_WRITE CAP_DAC_READ_SEARCH CAP_SYS_RESOURCE
SystemCallFilter=
SystemCallArchitectures=
RestrictAddressFamilies=
RestrictNamespaces=no
RestrictRealtime=no
RestrictSUIDSGID=no
LockPersonality=no
MemoryDenyWriteExecute=no
PrivateDevices=no
ProtectClock=no
ProtectHostname=no
ProtectKernelLogs=no
ProtectKernelModules=no
ProtectKernelTunables=no
"""


def polkit_rule(allow: Allow) -> str:
    """The rule file, in the JavaScript of 2009 that every polkit with rules reads; empty when nothing is allowed."""
    lines = [f"        {{verbs: {json.dumps(verbs)}, unit: /^{_regex(unit)}$/}}" for verbs, unit in _entries(allow)]
    told = {"head": HEAD, "user": json.dumps(USER), "allowed": ",\n".join(lines)}
    return _RULE % told if lines else ""


def sudoers(allow: Allow, systemctl: str) -> str:
    """The sudoers file, one line for each command; empty when nothing is allowed. Patterns are left out.

    sudo's own patterns match blanks, and so other arguments: there are none in it.
    """
    named = [(verbs, unit) for verbs, unit in _entries(allow) if _EXACT.fullmatch(unit)]
    commands = [" ".join(systemd.told(systemctl, verb, unit)) for verbs, unit in named for verb in verbs]
    lines = [f"{USER} ALL=(root) NOPASSWD: {command.replace(':', _COLON)}" for command in commands]
    return "\n".join([f"# {HEAD}", *lines, ""]) if lines else ""


def problems(allow: Allow, way: str) -> list[str]:
    """A sentence for each entry that cannot be granted by polkit, sudo, or neither (an empty way)."""
    if way == SUDO:
        return [
            f"ALLOW: {entry!r} does not name one unit; sudo acts here, polkit reads no rules: write an entry for each"
            for entry in allow.entries
            if any(not _EXACT.fullmatch(unit) for _verbs, unit in _entries(Allow(entry)))
        ]
    if not way and _entries(allow):
        return ["ALLOW: nothing here can grant it: install polkitd (0.106 or newer, which reads rules) or sudo"]
    return []


def drop_in(allow: Allow, way: str) -> str:
    """What the agent's unit needs beside its file: capabilities for signals and priorities, the room sudo needs."""
    needs = [need for verb, need in NEEDS.items() if any(verb in verbs for verbs, _pattern in allow.rules)]
    made = _FOR_SUDO if way == SUDO and _entries(allow) else ""
    if needs:
        capabilities = " ".join(capability for capability, _calls in needs)
        made += f"CapabilityBoundingSet={capabilities}\nAmbientCapabilities={capabilities}\n"
        calls = " ".join(calls for _capability, calls in needs if calls)
        made += f"SystemCallFilter={calls}\n" if calls and "SystemCallFilter=\n" not in made else ""
    return f"# {HEAD}\n[Service]\n{made}" if made else ""


def _entries(allow: Allow) -> list[tuple[list[str], str]]:
    """What of ALLOW is about systemd's services: (verbs, pattern); other managers have names of other kinds."""
    ours = [([verb for verb in SERVICE_VERBS if verb in verbs], unit) for verbs, unit in allow.rules]
    return [(v, unit) for v, unit in ours if v and (unit.endswith(".service") or not _EXACT.fullmatch(unit))]


def _regex(pattern: str) -> str:
    """A pattern as a regular expression for names of units."""
    return "".join(map(_regex_part, parts(pattern)))


def _regex_part(part: str) -> str:
    if part in ("*", "?"):
        return ".*" if part == "*" else "."
    # What it means among the characters of names; none is [], which in JavaScript matches nothing.
    meant = "".join(_spelt(c) for c in _UNIT_CHARACTERS if fnmatchcase(c, part))
    return meant if len(part) == 1 and meant else f"[{meant}]"


def _spelt(character: str) -> str:
    return "\\" + character if character in ".\\-" else character
