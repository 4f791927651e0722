"""The Romanian catalog: complete, with the same placeholders, in the right letters, and used as the language asks."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation
from django.utils.translation import ngettext

from pmonitor.templatetags import show

CHECKOUT = Path(__file__).parents[2]
PO = CHECKOUT / "locale/ro/LC_MESSAGES/django.po"
ENTRY = re.compile(r'^(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) (".*")$')
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\}")
ARGUMENTS = {  # of each function: where its context, its text and its plural are
    "_": (None, 0, None), "gettext": (None, 0, None), "gettext_lazy": (None, 0, None),
    "pgettext": (0, 1, None), "pgettext_lazy": (0, 1, None), "ngettext": (None, 0, 1),
}  # fmt: skip


def entries() -> list[dict[str, str]]:
    """The catalog's messages, each as its keywords and texts."""
    found: list[dict[str, str]] = [{}]
    keyword = ""
    for line in PO.read_text(encoding="utf-8").splitlines():
        if match := ENTRY.match(line):
            keyword = match[1]
            found[-1][keyword] = ast.literal_eval(match[2])
        elif line.startswith('"'):
            found[-1][keyword] += ast.literal_eval(line)
        elif not line and found[-1]:
            found.append({})
    return [entry for entry in found[1:] if entry]


def forms(entry: dict[str, str]) -> list[str]:
    return [text for keyword, text in entry.items() if keyword.startswith("msgstr")]


def test_every_text_has_its_words() -> None:
    texts = entries()
    assert len(texts) > 400
    assert [entry["msgid"] for entry in texts if not all(forms(entry))] == []
    assert [entry["msgid"] for entry in texts if "msgid_plural" in entry and len(forms(entry)) != 3] == []
    assert "fuzzy" not in PO.read_text(encoding="utf-8")


def test_every_form_has_the_placeholders_of_the_english() -> None:
    for entry in entries():
        wanted = sorted(PLACEHOLDER.findall(entry.get("msgid_plural", entry["msgid"])))
        for keyword, text in entry.items():
            if keyword == "msgstr" or (keyword.startswith("msgstr") and keyword != "msgstr[0]"):
                assert sorted(PLACEHOLDER.findall(text)) == wanted, entry
        assert set(PLACEHOLDER.findall(entry.get("msgstr[0]", ""))) <= set(wanted), entry


def test_letters_and_quotes_are_romanian() -> None:
    words = " ".join(text for entry in entries() for text in forms(entry))
    assert not set(words) & set("şţŞŢ“‘’")
    assert words.count("„") == words.count("”") > 0


def test_the_compiled_catalog_is_of_this_one() -> None:
    made = subprocess.run(["msgfmt", "--check", "--output-file", "-", str(PO)], capture_output=True, check=True)
    assert made.stdout == PO.with_suffix(".mo").read_bytes()


def called(tree: ast.AST) -> Iterator[tuple[str | None, str, str | None]]:
    """The context, text and plural of each call of gettext in a module."""
    for node in ast.walk(tree):
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if isinstance(node, ast.Call) and name in ARGUMENTS:
            given = [arg.value if isinstance(arg, ast.Constant) else None for arg in node.args]
            context, text, plural = ARGUMENTS[name]
            if isinstance(said := given[text], str):
                yield (
                    None if context is None else str(given[context]),
                    said,
                    None if plural is None else str(given[plural]),
                )


def test_every_text_of_the_code_is_in_the_catalog() -> None:
    """makemessages looks into no f-string, so what stands there is missed without a word."""
    known = {(entry.get("msgctxt"), entry["msgid"], entry.get("msgid_plural")) for entry in entries()}
    sources = [path for app in ("pmonitor", "servers", "actions") for path in (CHECKOUT / app).rglob("*.py")]
    said = {text for path in sources for text in called(ast.parse(path.read_text(encoding="utf-8")))}
    assert len(said) > 200
    assert said - known == set()


def test_the_plural_takes_de_from_twenty_on() -> None:
    words = {}
    with translation.override("ro"):
        for number in (0, 1, 2, 19, 20, 21, 100, 101, 102, 119, 120, 1984):
            words[number] = ngettext("%(n)s process", "%(n)s processes", number) % {"n": show.plain(number)}
    assert words == {
        0: "0 procese", 1: "1 proces", 2: "2 procese", 19: "19 procese", 20: "20 de procese", 21: "21 de procese",
        100: "100 de procese", 101: "101 procese", 102: "102 procese", 119: "119 procese", 120: "120 de procese",
        1984: "1.984 de procese",
    }  # fmt: skip


def test_numbers_and_times_are_written_as_romanians_do() -> None:
    with translation.override("ro"):
        assert show.plain(1984.25, 1) == "1.984,2"
        assert re.sub("<[^>]+>", "", show.percent(12.4, 1)) == "12,4\N{NO-BREAK SPACE}%"
        assert re.sub("<[^>]+>", "", show.duration(41 * 86_400)) == "41 z"


@pytest.mark.django_db
def test_the_language_of_the_browser_counts_until_one_is_chosen(client: Client) -> None:
    romanian = {"Accept-Language": "ro-RO,ro;q=0.9,en;q=0.8"}
    assert '<html lang="ro"' in client.get("/login/", headers=romanian).content.decode()
    assert '<html lang="en"' in client.get("/login/", headers={"Accept-Language": "de"}).content.decode()
    client.post("/language/", {"language": "en", "next": "/login/"})
    assert '<html lang="en"' in client.get("/login/", headers=romanian).content.decode()


@pytest.mark.django_db
def test_programs_are_told_in_english_what_is_wrong(client: Client) -> None:
    romanian = {"Accept-Language": "ro"}
    answer = client.get("/api/servers", headers=romanian)
    assert answer.status_code == 401
    assert answer.json()["error"] == "Authentication credentials were not provided."
    assert '<html lang="ro"' in client.get("/api/docs", headers=romanian, follow=True).content.decode()
