"""Services that behave, and services that misbehave in each way an operator meets."""

from tests.hosts.host import Host

OK = "pm-ok.service"
NEVER_READY = "pm-never-ready.service"
DIES_SOON = "pm-dies-soon.service"
FAILS_TO_START = "pm-fails-to-start.service"
ONESHOT = "pm-oneshot.service"
RESTART_LOOP = "pm-restart-loop.service"
MASKED = "pm-masked.service"
SLOW_STOP = "pm-slow-stop.service"
SLOW_STOP_SECONDS = 3
SLOW_STOP_READY, SLOW_STOP_HELD = "/run/pm-slow-stop/ready", "/run/pm-held"  # while the latter is there, it stops on
ENDS_SOON = "pm-ends-soon.service"
START_LIMIT = "pm-start-limit.service"
NOT_READY = "pm-not-ready.service"
ONESHOT_STAYS = "pm-oneshot-stays.service"
COMES_BACK = "pm-comes-back.service"
SOCKET_STARTED = "pm-by-socket.service"
STATIC = "pm-static.service"
NICKNAMED, NICKNAME = "pm-named.service", "pm-nickname.service"
INSTANCE, TEMPLATE = "pm-instance@1.service", "pm-instance@.service"


def _unit(what: str, service: str, unit: str = "") -> str:
    return f"[Unit]\nDescription={what}\n{unit}\n[Service]\n{service}\n\n[Install]\nWantedBy=multi-user.target\n"


# A masked unit is a link to nothing: `systemctl mask` makes it, so MASKED has no text here.
UNITS = {
    OK: _unit(
        "Runs until told to stop; reloads",
        "ExecStart=/bin/sleep infinity\nExecReload=/bin/true",
    ),
    NEVER_READY: _unit(
        "Promises to say when it is ready, and never does",
        "Type=notify\nTimeoutStartSec=60\nExecStart=/bin/sleep infinity",
    ),
    DIES_SOON: _unit(
        "Starts well, and dies after two seconds with exit code 1",
        "ExecStart=/bin/sh -c 'sleep 2; echo the disk is full >&2; exit 1'",
    ),
    FAILS_TO_START: _unit(
        "Its start command fails",
        "Type=forking\nExecStart=/bin/sh -c 'echo bad configuration >&2; exit 3'",
    ),
    ONESHOT: _unit("Does its work and ends", "Type=oneshot\nExecStart=/bin/echo did all its work"),
    RESTART_LOOP: _unit(
        "Dies at once and is started again, for ever",
        "Restart=always\nRestartSec=300ms\nExecStart=/bin/sh -c 'exit 7'",
        "StartLimitIntervalSec=0\n",
    ),
    ENDS_SOON: _unit("Ends by itself after two seconds, without an error", "ExecStart=/bin/sleep 2"),
    START_LIMIT: _unit(
        "Dies at once, is started again, and after three times no more",
        "Restart=always\nRestartSec=200ms\nExecStart=/bin/sh -c 'exit 7'",
        "StartLimitIntervalSec=60\nStartLimitBurst=3\n",
    ),
    NOT_READY: _unit(
        "Promises to say when it is ready, never does, and is ended for it",
        "Type=notify\nTimeoutStartSec=2\nExecStart=/bin/sleep infinity",
    ),
    ONESHOT_STAYS: _unit(
        "Does its work and counts as active then", "Type=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true"
    ),
    COMES_BACK: _unit(
        "Is started again when it dies", "Restart=on-failure\nRestartSec=100ms\nExecStart=/bin/sleep infinity"
    ),
    SOCKET_STARTED: _unit("Started by its socket", "ExecStart=/bin/sleep infinity"),
    STATIC: "[Service]\nExecStart=/bin/sleep infinity\n",
    NICKNAMED: _unit("Has another name", "ExecStart=/bin/sleep infinity") + f"Alias={NICKNAME}\n",
    SLOW_STOP: _unit(
        "Takes its time to stop",
        "TimeoutStopSec=300\nRuntimeDirectory=pm-slow-stop\n"
        f"ExecStart=/bin/sh -c 'trap \"sleep {SLOW_STOP_SECONDS}; while [ -e {SLOW_STOP_HELD} ]; do sleep 0.1; done; "
        f"exit 0\" TERM; : >{SLOW_STOP_READY}; while :; do sleep 0.1; done'",
    ),
}
# What belongs to some of them, and is no service of its own.
BESIDE = {
    SOCKET_STARTED.replace(".service", ".socket"): "[Socket]\nListenStream=/run/pm-by-socket\n",
    TEMPLATE: _unit("One of many", "ExecStart=/bin/sleep infinity"),
}


def install_units(host: Host) -> None:
    """Put all of them on the server, MASKED masked; none is started."""
    for name, text in {**UNITS, **BESIDE}.items():
        host.write(f"/etc/systemd/system/{name}", text)
    host.systemctl("mask", MASKED)
    host.systemctl("daemon-reload")
    host.systemctl("enable", NICKNAMED)
