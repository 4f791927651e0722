"""One server: a disk of its own over the shared image, a cable, and a whole Debian with systemd running on it."""

import shlex
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

from tests.hosts import disk
from tests.hosts.cgroups import Cgroup
from tests.hosts.layout import PREFIX, LabError, call
from tests.hosts.network import Cable
from tests.hosts.waiting import eventually

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
REBOOTED = 133  # how nspawn says that the system inside asked for a reboot
WRITE = 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"'
BOOT_SECONDS = 300
STOP_SECONDS = 180


class Host:
    """A server of the lab. Its disk outlives power cuts and reboots, until `discard`."""

    def __init__(self, index: int, name: str, folder: Path, image: Path) -> None:
        self.name = name
        self.folder = folder
        self.image = image
        self.cable = Cable(index)
        self.address = self.cable.address
        self.cgroup = Cgroup(f"{PREFIX}{index}")
        self._label = f"{PREFIX}{index}"
        self._machine: subprocess.Popen[bytes] | None = None
        self._news: socket.socket | None = None
        self._init_pid = 0

    # Making and unmaking

    def install(self) -> None:
        """Give it a disk, a cable and a name of its own; it is off."""
        disk.mount(self._label, self.folder, self.image)
        self.cgroup.create()
        self.cable.plug()
        self.write("/etc/hostname", f"{self.name}\n")
        self.write("/etc/hosts", f"127.0.0.1 localhost\n{self.address} {self.name}\n")
        self.write("/etc/machine-id", f"{uuid.uuid4().hex}\n")

    def discard(self) -> None:
        """Take everything of it away, disk included, whatever state it is in."""
        if self.running:
            self.power_cut()
        self.cgroup.remove()
        self.cable.unplug()
        disk.unmount(self.folder / "root")
        disk.forget_machine(self._label)
        shutil.rmtree(self.folder)

    # Power

    @property
    def running(self) -> bool:
        return self._machine is not None and self._machine.poll() is None

    def boot(self) -> None:
        """Switch it on; returns when systemd inside has reached its default target."""
        self.switch_on()
        self.wait_booted()

    def switch_on(self) -> None:
        """Start booting, without waiting."""
        if self.running:
            raise LabError(f"{self.name} runs already")
        self._close_news()
        # An abstract address: no file to leave behind, no limit on how deep the checkout lies.
        self._news = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._news.bind(f"\0{self._label}-{uuid.uuid4().hex}")
        self._init_pid = 0
        address = "@" + self._news.getsockname()[1:].decode()
        with (self.folder / "console.log").open("ab") as console:
            self._machine = subprocess.Popen(
                self.cgroup.entering(self._nspawn()), env=self._nspawn_environment(address),
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
            )  # fmt: skip

    def wait_booted(self) -> None:
        """Wait for what `switch_on` began."""
        deadline = time.monotonic() + BOOT_SECONDS
        while True:
            news = self._next_news(deadline)
            if pid := news.get("X_NSPAWN_LEADER_PID"):
                self._init_pid = int(pid)
            if news.get("READY") == "1":
                # Unread, its later news would fill the socket, and systemd inside would wait in sending for ever.
                self._close_news()
                return

    def stop(self) -> None:
        """Shut it down in order, as its power button would."""
        machine = self._running_machine()
        self.thaw()
        machine.send_signal(signal.SIGTERM)
        self._wait_off()

    def power_cut(self) -> None:
        """Every process gone at once, nothing said to anyone; what it wrote to its disk stays."""
        self._running_machine()
        self.cgroup.freeze(False)
        self.cgroup.kill()
        self._wait_off()

    def reboot(self) -> None:
        """`systemctl reboot` inside, and wait until it is up again."""
        self._running_machine()
        self.run("systemctl", "reboot", "--no-block", check=False)
        self.wait_rebooted()

    def wait_rebooted(self) -> None:
        """Carry a reboot that the server itself asked for to its end."""
        code = self._wait_off()
        if code != REBOOTED:
            raise LabError(f"{self.name} did not ask for a reboot: nspawn left with {code}\n{self.console()}")
        self.boot()

    # Faults

    def cut(self) -> None:
        """Pull its network cable."""
        self.cable.cut()

    def heal(self) -> None:
        """Put the cable back; no more loss."""
        self.cable.heal()

    def loss(self, percent: int) -> None:
        """Lose this share of its packets each way, 0 to 100 percent."""
        self.cable.loss(percent)

    def hang(self) -> None:
        """Freeze every process of it: it answers nothing, yet its connections stay open."""
        self._running_machine()
        self.cgroup.freeze(True)

    def thaw(self) -> None:
        """Let it go on after `hang`."""
        self.cgroup.freeze(False)

    # Inside

    def run(
        self, *argv: str, check: bool = True, stdin: str | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on the server as root, to its end; LabError if it fails and `check` is on."""
        self._running_machine()
        command = self.cgroup.entering(["nsenter", "--target", str(self._init_pid), "--all", "--", *argv])
        return self._carry_out(command, argv, check, stdin, timeout)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file on the server, with the folders above it; works while it is off, too."""
        argv = ("sh", "-c", WRITE, "write", path, f"{mode:o}")
        if self.running:
            self.run(*argv, stdin=text)
        else:
            self._carry_out(["chroot", str(self.folder / "root"), *argv], argv, True, text, 10)

    def read(self, path: str) -> str:
        """The text of a file on the server."""
        return self.run("cat", path).stdout

    def copy_tree(self, source: Path, target: str) -> None:
        """Copy the folder `source` of this machine to the folder `target` of the server."""
        self.run("mkdir", "-p", target)
        nsenter = ["nsenter", "--target", str(self._init_pid), "--all", "--", "tar", "-xf", "-", "-C", target]
        pack = f"tar -C {shlex.quote(str(source))} --exclude=__pycache__ --owner=0 --group=0 -cf - ."
        call("bash", "-o", "pipefail", "-c", f"{pack} | {shlex.join(nsenter)}")

    def systemctl(self, *argv: str, check: bool = True) -> str:
        """What `systemctl …` prints on the server."""
        return self.run("systemctl", *argv, check=check).stdout.strip()

    def unit_state(self, unit: str) -> dict[str, str]:
        """Every property of a unit as `systemctl show` says it: ActiveState, SubState, MainPID, NRestarts…"""
        lines = self.systemctl("show", unit).splitlines()
        return {name: value for name, _, value in (line.partition("=") for line in lines)}

    def wait_unit(self, unit: str, within: float = 10, **wanted: str) -> dict[str, str]:
        """Wait until the unit's properties are as wanted, e.g. ActiveState="active"; its whole state then."""

        def reached(state: dict[str, str]) -> bool:
            return {name: state.get(name) for name in wanted} == wanted

        return eventually(lambda: self.unit_state(unit), reached, within)

    def install_unit(self, name: str, text: str) -> None:
        """Write a unit file and make systemd know it; it is not started."""
        self.write(f"/etc/systemd/system/{name}", text)
        self.systemctl("daemon-reload")

    def journal(self, unit: str, lines: int = 100) -> str:
        """The newest lines of a unit's journal, as text."""
        return self.run("journalctl", "--no-pager", "-o", "cat", "-n", str(lines), "-u", unit).stdout

    def console(self) -> str:
        """The end of what it said on its console, over all its boots."""
        return (self.folder / "console.log").read_text(errors="replace")[-3000:]

    # How it is done

    def _nspawn(self) -> list[str]:
        return [
            "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--notify-ready=yes",
            "--console=pipe", "--resolv-conf=off", "--timezone=off", "--link-journal=no",
            "--kill-signal=SIGRTMIN+3", f"--machine={self._label}", f"--hostname={self.name}",
            f"--directory={self.folder / 'root'}",
            f"--network-namespace-path=/run/netns/{self.cable.namespace}",
        ]  # fmt: skip

    def _nspawn_environment(self, notify_socket: str) -> dict[str, str]:
        own = {"NOTIFY_SOCKET": notify_socket, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        return {**ENVIRONMENT, **own}

    def _next_news(self, deadline: float) -> dict[str, str]:
        """The next thing nspawn says over its notify socket; LabError if it dies or is silent too long."""
        assert self._news is not None
        self._news.settimeout(0.2)
        while self.running and time.monotonic() < deadline:
            try:
                lines = self._news.recv(4096).decode().splitlines()
            except TimeoutError:
                continue
            return dict(line.partition("=")[::2] for line in lines)
        raise LabError(f"{self.name} did not boot within {BOOT_SECONDS} s\n{self.console()}")

    def _carry_out(
        self, command: list[str], argv: tuple[str, ...], check: bool, stdin: str | None, timeout: float
    ) -> subprocess.CompletedProcess[str]:
        source = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(
            command, env=ENVIRONMENT, capture_output=True, text=True, timeout=timeout, check=False, **source
        )  # fmt: skip
        if check and done.returncode:
            said = (done.stdout + done.stderr).strip()[-2000:]
            raise LabError(f"{self.name}: {shlex.join(argv)}: exit {done.returncode}: {said}")
        return done

    def _running_machine(self) -> subprocess.Popen[bytes]:
        if self._machine is None or not self.running:
            raise LabError(f"{self.name} is off")
        return self._machine

    def _wait_off(self) -> int:
        assert self._machine is not None
        try:
            code = self._machine.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired as late:
            raise LabError(f"{self.name} still runs after {STOP_SECONDS} s\n{self.console()}") from late
        self._close_news()
        return code

    def _close_news(self) -> None:
        if self._news is not None:
            self._news.close()
            self._news = None
