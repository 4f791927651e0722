"""The bodies of agents' calls: read within bounds, unpacked within bounds, decoded into structs, or refused in words.

`report` and `registration` know no request, so that a faster door than the DRF views can call them.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, NoReturn, TypeVar

import msgspec
from django.conf import settings
from django.http import HttpRequest

from pmonitor import problems
from servers import wire, wrong_fields

GZIP = 31  # zlib's wbits for the gzip format
T = TypeVar("T")


def read(request: HttpRequest) -> bytes:
    """The raw body of a JSON request; Problem 415 for another type, 413 past settings.REPORT_MAX_BYTES."""
    if request.content_type != "application/json":
        raise problems.Problem(415, f"Send application/json, not {request.content_type or 'a body without a type'}.")
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.REPORT_MAX_BYTES:
        raise _too_large()
    body = request.read(settings.REPORT_MAX_BYTES + 1)
    if len(body) > settings.REPORT_MAX_BYTES:
        raise _too_large()
    return body


def report(body: bytes, encoding: str = "") -> wire.Report:
    """A report out of a body and its Content-Encoding; raises Problem 400, 413 or 415."""
    return decoded(unpacked(body, encoding), wire.REPORTS)


def registration(body: bytes, encoding: str = "") -> wire.Register:
    """A registration out of a body and its Content-Encoding; raises Problem 400, 413 or 415."""
    return decoded(unpacked(body, encoding), wire.REGISTRATIONS)


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its Content-Encoding, never unpacked past the limit."""
    if encoding.lower() in {"", "identity"}:
        return body
    if encoding.lower() != "gzip":
        raise problems.Problem(415, f"Content-Encoding {encoding[:40]} is not known here; use gzip or none.")
    unzip = zlib.decompressobj(GZIP)
    try:
        plain = unzip.decompress(body, settings.REPORT_MAX_BYTES + 1)
    except zlib.error as error:
        raise problems.Problem(400, f"The body is not gzip: {error}.") from error
    if len(plain) > settings.REPORT_MAX_BYTES:
        raise _too_large()
    if not unzip.eof or unzip.unused_data:
        raise problems.Problem(400, "The body is not gzip: it is cut short or has something behind it.")
    return plain


def _too_large() -> problems.Problem:
    return problems.Problem(413, f"The body is larger than {settings.REPORT_MAX_BYTES:,} bytes, as sent or unpacked.")


def decoded(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The body as what the decoder makes; raises Problem 400 naming every wrong field."""
    if b"\\u0000" not in data:
        try:
            return decoder.decode(data)
        except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
            pass
    return _decoded_slowly(data, decoder.type)


def _decoded_slowly(data: bytes, kind: type[T]) -> T:
    """For text that JSON can write and PostgreSQL cannot keep, and to find every wrong field."""
    try:
        value = _storable(json.loads(data, parse_constant=_no_number))
    except UnicodeDecodeError as error:
        raise problems.Problem(400, "The body is not UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise problems.Problem(400, f"The body is not JSON: {error}.") from error
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise problems.bad(wrong_fields.find(value, kind) or {"body": str(error)}) from error


def _storable(value: Any) -> Any:
    """NUL and lone surrogates become U+FFFD; all other characters stay as they are."""
    if isinstance(value, str):
        return value.replace("\0", "�").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
