"""What a search text means."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servers import process_query, proctable
from servers.chunks import write
from servers.chunks.read import Chunk
from servers.process_lines import Lines
from servers.process_query import Term, Wrong, parse
from servers.wire import Proc
from tests.servers.samples import proc, sampled

REDIS = proc(4711, name="Redis-Server", user="redis", cmdline='/usr/bin/redis-server *:6379 "[cluster]" a\\b')
TEXTS = st.text(st.sampled_from('aA"\\.*[\n\x1b/ éÉ7sSkßſ\u212aİςΣșȘ'), max_size=6)  # \u212a: the Kelvin sign


def holds(text: str, one: Proc = REDIS) -> bool:
    return parse(text).holds(one.name, one.pid, one.user, one.cmdline)


@pytest.mark.parametrize(
    "text",
    [
        "redis", "REDIS", "redis 6379", "4711", "name:redis-s", "name:REDIS user:redis", "user:red", "pid:4711",
        "pid:04711", "cmd:/usr/bin", "cmd:*:6379", "[cluster]", 'cmd:"*:6379 "', '"redis-server *:"', '""', "a\\b", "",
        "redis redis", 'name:"Redis-Server', "Name:redis",
    ],
)  # fmt: skip
def test_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "nginx", "redis nginx", "471", "pid:471", "name:usr", "cmd:Redis-Serves", "user:4711", "red.s", "redis|nginx",
        ".*", "^redis", "re?dis", "%", "red_s", "service:redis", '"redis  server"',
    ],
)  # fmt: skip
def test_does_not_hold(text: str) -> None:
    assert not holds(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nmae:redis", "nmae:"), ("nginx: worker", '"nginx:"'), ("name:", "colon"), ('name:""', "colon"),
        ("pid:abc", "pid:4711"), ("pid:-1", "pid:4711"), ("pid:99999999999", "pid:4711"), ("pid:²", "pid:4711"),
        ("x" * 201, "200"), ("a b c d e f g h i", "8"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    with pytest.raises(Wrong, match=r".") as wrong:
        parse(text)
    assert told in str(wrong.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SERVICIU-ÎNTREG", "serviciu-întreg"), ("știri", "ȘTIRI"), ("οδοσ", "ΟΔΟΣ"), ("ΟΔΟΣ", "οδος"),
        ("straße", "STRASSE"), ("STRASSE", "straße"), ("kelvin", "\u212aelvin"), ("файл", "ФАЙЛ.PY"), ("name:é", "É"),
    ],
)  # fmt: skip
def test_upper_and_lower_case_are_the_same_in_any_script(text: str, name: str) -> None:
    one = proc(name=name, cmdline="x")
    assert holds(text, one)
    (term,) = parse(text).terms
    packed = proctable.pack([proc(2, name="other"), one])
    assert Lines(packed).mention([term.in_json])
    assert [stays[0] for _place, stays in Lines(packed).with_any([term.in_json])][-1] == name
    assert parse(text).may_be_in(Chunk(write.encode(sampled([[one]]))).text)


def test_an_address_is_no_prefix() -> None:
    assert parse("http://127.0.0.1:80 kworker/0:1 127.0.0.1:6379").terms == (
        Term("", "http://127.0.0.1:80"), Term("", "kworker/0:1"), Term("", "127.0.0.1:6379"),
    )  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.builds(proc, st.integers(1, 99), name=TEXTS, user=TEXTS, cmdline=TEXTS), max_size=4), TEXTS)
def test_looking_before_decoding_misses_nothing(procs: list[Proc], value: str) -> None:
    packed = proctable.pack(procs)
    lines = Lines(packed)
    assert [lines.later(place, stays)() for place, stays in lines.every()] == procs
    for field in ("", "name", "cmd", "user", "user="):
        term = Term(field, value.casefold())
        wanted = process_query.Wanted((term,))
        places = [place for place, one in enumerate(procs) if wanted.holds(one.name, one.pid, one.user, one.cmdline)]
        found = dict(lines.with_any([term.in_json]) if term.in_json else lines.every())
        assert set(places) <= set(found)
        assert all(lines.later(place, stays)() == procs[place] for place, stays in found.items())
        if places:
            assert lines.mention([term.in_json])
            assert wanted.may_be_in(Chunk(write.encode(sampled([procs]))).text)


def test_no_processes_are_no_lines() -> None:
    for packed in (b"", proctable.VERSION + proctable.compressed(b"[]\n[]\n[]\n[]\n")):
        lines = Lines(packed)
        assert (list(lines.every()), list(lines.with_any([b"[", b"]"]))) == ([], [])
