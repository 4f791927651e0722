"""A server's disk: what it writes goes to its own folder, laid over the shared image."""

from pathlib import Path

from tests.hosts.layout import call

NSPAWN_LOCKS = Path("/run/systemd/nspawn/locks")
NSPAWN_MACHINES = Path("/run/systemd/nspawn/propagate")


def mount(name: str, folder: Path, image: Path) -> Path:
    """Lay `folder` over `image`; where the whole disk is seen. `name` is what the mount table calls it."""
    for part in ("upper", "work", "root"):
        (folder / part).mkdir(parents=True)
    layers = f"lowerdir={image},upperdir={folder}/upper,workdir={folder}/work"
    call("mount", "-t", "overlay", name, "-o", layers, folder / "root")
    return folder / "root"


def unmount(root: Path) -> None:
    """Take the disk away, with the lock file that nspawn leaves beside a machine killed on it."""
    about = root.stat()
    call("umount", "--lazy", root)
    (NSPAWN_LOCKS / f"inode-{about.st_dev}:{about.st_ino}").unlink(missing_ok=True)


def forget_machine(name: str) -> None:
    """Remove the folder that nspawn leaves behind for each machine it ever started."""
    if (NSPAWN_MACHINES / name).exists():
        (NSPAWN_MACHINES / name).rmdir()
