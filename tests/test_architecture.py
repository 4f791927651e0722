"""The code's shape as ARCHITECTURE.md tells it: imports go one way, files stay short, pages hold no inline code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("pmonitor", "servers", "actions", "alerts", "agent")
BELOW = {  # a part -> what it may import
    "agent": {"agent"},
    "pmonitor": {"pmonitor"},
    "servers": {"servers", "pmonitor"},
    "actions": {"actions", "servers", "pmonitor"},
    "alerts": {"alerts", "actions", "servers", "pmonitor"},
}
LISTS_THE_APPS = {"pmonitor/urls.py", "pmonitor/asgi.py", "pmonitor/worker.py"}  # and the commands of manage.py
TAKES_THE_LIST = {"pmonitor/health.py"}  # of the worker's steps
MOST_LINES = 300
NAMELESS = {"utils", "helpers", "services", "common", "core", "misc"}
SOURCES = sorted(
    path
    for part in (*PARTS, "tests", "bench")
    for path in (ROOT / part).rglob("*.py")
    if "migrations" not in path.parts and not path.is_symlink()
)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield f"{'.' * node.level}{node.module or ''}"
        yield from (f"{node.module}.{alias.name}" for alias in node.names if node.module in PARTS)


def wrong_way(path: Path, tree: ast.AST) -> Iterator[str]:
    part = name_of(path).split("/")[0]
    if part not in BELOW or name_of(path) in LISTS_THE_APPS or "management/commands" in name_of(path):
        return
    for module in {module for node in ast.walk(tree) for module in imported(node)}:
        if module.startswith("."):
            yield f"{module}: say the whole name"
        elif module.split(".")[0] in PARTS and module.split(".")[0] not in BELOW[part]:
            yield module
        elif f"{module.replace('.', '/')}.py" in LISTS_THE_APPS and name_of(path) not in TAKES_THE_LIST:
            yield f"{module}: it lists the apps, nothing imports it"


def inside_functions(path: Path, tree: ast.AST) -> Iterator[int]:
    """Imports in functions, except in apps.py, whose ready() is where Django has the models."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and path.name != "apps.py":
            yield from (node.lineno for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom))


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_source(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert list(wrong_way(path, tree)) == []
    assert sorted(set(inside_functions(path, tree))) == []
    assert text.count("\n") <= MOST_LINES
    assert path.stem not in NAMELESS


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_template_holds_no_inline_code(path: Path) -> None:
    text = path.read_text()
    assert re.findall(r"\sstyle\s*=|<style|\son[a-z]+\s*=\s*[\"']|javascript:", text) == []
    assert [tag for tag in re.findall(r"<script[^>]*>", text) if "src=" not in tag and "nonce=" not in tag] == []


def test_the_rules_have_something_to_rule() -> None:
    assert len(SOURCES) > 50
    assert TEMPLATES
    backwards = ast.parse("from actions import lifecycle\ndef f():\n    import json\n")
    assert list(wrong_way(ROOT / "servers" / "ingest.py", backwards)) != []
    assert list(inside_functions(ROOT / "servers" / "ingest.py", backwards)) == [3]
