"""The journal: what is on disk decides what may run."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent.journal import Journal, JournalError
from tests.agent.conftest import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_steps_are_there_after_a_new_start(path: Path) -> None:
    journal = Journal(path)
    journal.write("a", "received", target="web")
    journal.write("a", "acting", acted=True)
    journal.write("b", "received")
    journal.write("c", "done", result={"outcome": "refused"})
    journal.write("d", "done", result={})
    journal.write("d", "reported")
    again = Journal(path)
    assert again.get("a") == {"id": "a", "step": "acting", "target": "web", "acted": True}
    assert [e["id"] for e in again.unfinished()] == ["a", "b"]
    assert [e["id"] for e in again.unreported()] == ["c"]
    assert again.get("nothing") is None


def test_a_torn_line_is_passed_over(path: Path) -> None:
    Journal(path).write("a", "received")
    with path.open("ab") as file:
        file.write(b'{"id":"a","step":"acti')
    journal = Journal(path)
    journal.write("b", "received")
    assert [e["step"] for e in Journal(path).unfinished()] == ["received", "received"]


def test_it_stays_small_but_forgets_nothing_untold(path: Path) -> None:
    journal = Journal(path)
    journal.write("untold", "done", result={})
    for number in range(50):
        journal.write(str(number), "done", result={"output": "x" * 100})
        journal.write(str(number), "reported")
    again = Journal(path, keep=10)
    assert again.get("untold")
    assert again.get("49")
    assert again.get("10") is None
    assert len(path.read_bytes().splitlines()) == 10


def test_only_its_owner_can_read_it(path: Path) -> None:
    Journal(path).write("a", "received")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_step_that_is_not_on_disk_is_an_error() -> None:
    """/dev/full is a real full disk."""
    journal = object.__new__(Journal)
    journal._entries, journal._torn, journal._writing = {}, False, threading.Lock()
    journal._file = open("/dev/full", "ab", buffering=0)  # noqa: SIM115
    with pytest.raises(JournalError, match="No space left on device"):
        journal.write("a", "acting", acted=True)
    assert journal.get("a") is None
    journal.close()


FILLING = """
import resource, signal, sys
from pathlib import Path
from agent.journal import Journal, JournalError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
journal = Journal(path)
journal.write("first", "received")
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 20, resource.RLIM_INFINITY))
try:
    journal.write("second", "acting", acted=True)
except JournalError:
    pass
else:
    sys.exit("it was written in part and called good")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.write("third", "received")
"""


def test_a_line_written_in_part_spoils_no_other(path: Path) -> None:
    subprocess.run([sys.executable, "-c", FILLING, str(path)], cwd=ROOT, check=True)
    journal = Journal(path)
    assert [e["id"] for e in journal.unfinished()] == ["first", "third"]
