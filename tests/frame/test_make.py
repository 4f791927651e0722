"""What somebody sees whose machine lacks something: one clear line, and no half-made environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What `make run` needs first, without an environment."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("Makefile", "manage.py", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


OLD = "sys.version_info = (3, 9, 2)"
POOR = "sys.modules['venv'] = sys.modules['ensurepip'] = None"


def python(folder: Path, change: str) -> str:
    """A stand-in for a Python that is older, or poorer, than ours: a real one, changed before it runs `-c CODE`."""
    (folder / "changed.py").write_text(f"import sys\n{change}\nexec(sys.argv[2])\n")
    path = folder / "python-other"
    path.write_text(f'#!/bin/bash\nexec {sys.executable} -I -S {folder}/changed.py "$@"\n')
    path.chmod(0o755)
    return str(path)


def make(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    surroundings = {"PATH": os.environ["PATH"], "HOME": str(checkout)}
    return subprocess.run(["make", "run", *words], cwd=checkout, capture_output=True, text=True, env=surroundings)


def test_no_python(checkout: Path) -> None:
    answer = make(checkout, "PYTHON=/nonexistent/python3")
    assert answer.returncode != 0
    assert answer.stderr.splitlines()[0] == "There is no /nonexistent/python3 here: install Python 3.11 or newer."


def test_a_too_old_python(checkout: Path) -> None:
    answer = make(checkout, f"PYTHON={python(checkout, OLD)}")
    assert answer.returncode != 0
    assert "needs Python 3.11 or newer" in answer.stderr.splitlines()[0]
    assert "is 3.9" in answer.stderr.splitlines()[0]
    assert not (checkout / ".venv").exists()


def test_a_python_without_venv(checkout: Path) -> None:
    answer = make(checkout, f"PYTHON={python(checkout, POOR)}")
    assert answer.returncode != 0
    assert "apt-get install python3-venv" in answer.stderr.splitlines()[0]
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize(
    ("change", "said"), [(OLD, "needs Python 3.11 or newer"), ("", "`make run`, which makes .venv")]
)
def test_manage_by_hand_with_a_python_that_will_not_do(checkout: Path, change: str, said: str) -> None:
    run = "import runpy; sys.argv = ['manage.py', 'quickstart']; runpy.run_path('manage.py', run_name='__main__')"
    command = [python(checkout, change), "-c", run]
    answer = subprocess.run(command, cwd=checkout, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert answer.returncode == 1
    assert said in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_help_lists_every_target(checkout: Path) -> None:
    answer = subprocess.run(["make"], cwd=checkout, capture_output=True, text=True, check=True)
    for target in ("help", "run", "test", "check", "messages", "bench", "clean"):
        assert f"make {target} " in answer.stdout
