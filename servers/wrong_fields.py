"""Every wrong field of a body, by its path: what the 400 says. Only bodies that were refused come here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, UnsetType

MOST = 50  # fields named in one answer
WORDS = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a text",
    list: "a list",
    datetime: "a time such as 2026-01-31T12:00:00Z",
}


def find(value: object, kind: Any) -> dict[str, str]:
    """{"procs[3].pid": 'expected an integer >= 0, got "x"'} for a value that is not of the kind, at most MOST."""
    return dict(islice(_wrong(value, kind, ""), MOST))


def _wrong(value: object, kind: Any, path: str) -> Iterator[tuple[str, str]]:
    if _is(value, kind):
        return
    bare, meta, _nullable = _parts(kind)
    if isinstance(value, dict) and isinstance(bare, type) and issubclass(bare, Struct):
        yield from _wrong_members(value, bare, path)
    elif isinstance(value, list) and get_origin(bare) is list and _fits(value, meta):
        for index, item in enumerate(value):
            yield from _wrong(item, get_args(bare)[0], f"{path}[{index}]")
    else:
        yield path or "body", f"expected {_described(kind)}, got {_shown(value)}"


def _wrong_members(value: dict[str, object], struct: type[Struct], path: str) -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(struct):
        name = f"{path}.{field.encode_name}" if path else field.encode_name
        if field.encode_name in value:
            yield from _wrong(value[field.encode_name], field.type, name)
        elif field.required:
            yield name, "is required"


def _is(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _parts(kind: Any) -> tuple[Any, Meta, bool]:
    """A kind as (its bare type, its bounds, whether null will do)."""
    options = get_args(kind) if get_origin(kind) is Union or type(kind).__name__ == "UnionType" else (kind,)
    kept = next(option for option in options if option not in (type(None), UnsetType))
    bare, meta = get_args(kept) if get_origin(kept) is Annotated else (kept, Meta())
    return bare, meta, type(None) in options


def _fits(value: list[object], meta: Meta) -> bool:
    return meta.max_length is None or len(value) <= meta.max_length


def _described(kind: Any) -> str:
    bare, meta, nullable = _parts(kind)
    bounds = [
        f" >= {meta.ge}" if meta.ge is not None else "",
        f" and <= {meta.le:,.0f}" if meta.le is not None else "",
        f" of at least {meta.min_length}" if meta.min_length else "",
        f" of at most {meta.max_length}" if meta.max_length is not None else "",
        " characters" if meta.max_length is not None and bare is str else "",
        f" like {meta.pattern}" if meta.pattern else "",
    ]
    return WORDS.get(get_origin(bare) or bare, "an object") + "".join(bounds) + (" or null" if nullable else "")


def _shown(value: object) -> str:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = "an object" if isinstance(value, dict) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
