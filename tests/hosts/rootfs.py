"""The disk images that servers start from: Debian releases by mmdebstrap, each built once and kept."""

import hashlib
import json
import re
import shutil
from pathlib import Path

from tests.hosts.layout import LabError, call

PACKAGES = [
    "systemd", "systemd-sysv", "dbus", "iproute2", "iputils-ping", "procps", "cron", "curl", "sudo",
    "ca-certificates", "redis-server", "nginx-light", "python3-psutil", "python3-requests", "python3-venv", "polkitd",
]  # fmt: skip
# They would wake up in the middle of a test and look for the internet.
MASKED = ["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"]
APT = Path("/etc/apt")
# How this machine reaches its mirror (proxy, certificates, retries); the rest of its apt settings are its own.
REACHING = re.compile(r"Acquire::(https?|Check-|Allow|Retries|Force|Languages)")
COPY_LOGINS = 'for f in /etc/apt/auth.conf /etc/apt/auth.conf.d; do [ ! -e $f ] || cp -a $f "$1/etc/apt/"; done'
DROP_LOGINS = 'rm -rf "$1/etc/apt/auth.conf" "$1/etc/apt/auth.conf.d"; rm -f "$1/etc/apt/apt.conf.d/99mmdebstrap"'
MASK = f'for u in {" ".join(MASKED)}; do ln -sf /dev/null "$1/etc/systemd/system/$u"; done'


def cached(folder: Path, release: str = "") -> Path:
    """The image's root folder under `folder`; built first where it is not there (about half a minute).

    `release` is a Debian codename, such as trixie; this machine's own when left out.
    """
    release = release or _codename()
    image = folder / f"rootfs-{release}-{_key(release)}"
    if not image.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"rootfs-{release}-*"):
            shutil.rmtree(old)
        _build(image, release)
    return image


def _build(image: Path, release: str) -> None:
    building = image.with_name(f"{image.name}.building")
    hooks = [f"--setup-hook={COPY_LOGINS}", f"--customize-hook={MASK}", f"--customize-hook={DROP_LOGINS}"]
    include = f"--include={','.join(PACKAGES)}"
    call(
        "mmdebstrap", "--variant=minbase", "--format=directory", include, *_apt_options(), *hooks,
        release, building, *_sources(image.parent, release),
    )  # fmt: skip
    building.chmod(0o755)
    building.rename(image)


def _key(release: str) -> str:
    recipe = json.dumps([release, PACKAGES, MASK])
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def _codename() -> str:
    release = Path("/etc/os-release").read_text()
    if found := re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE):
        return found[1]
    raise LabError("/etc/os-release names no release: the lab's servers are built from this machine's own Debian")


def _sources(folder: Path, release: str) -> list[Path]:
    """This machine's own package sources, whichever mirror they name, with the release put in place of its own."""
    own = _codename()
    names = re.compile(rf"^(deb\s|Suites:).*\b{own}\b", re.MULTILINE)
    lists = [APT / "sources.list", *APT.glob("sources.list.d/*.list"), *APT.glob("sources.list.d/*.sources")]
    found = [path for path in lists if path.exists() and names.search(path.read_text())]
    if not found:
        raise LabError(f"{APT} has no package source for {own}")
    made = [folder / f"{release}-{path.name}" for path in found]
    for path, copy in zip(found, made, strict=True):
        copy.write_text(re.sub(rf"\b{own}\b", release, path.read_text()))
    return made


def _apt_options() -> list[str]:
    """How this machine's apt reaches its mirror, as options of mmdebstrap."""
    lines = call("apt-config", "dump", "Acquire").splitlines()
    settings = [line for line in lines if REACHING.match(line) and not line.endswith(' "";')]
    return [f"--aptopt={setting}" for setting in settings]
