"""The bodies of agents' calls: read within bounds, unpacked within bounds, decoded into structs, or refused in words.

`report` and `registration` know no request, so that a faster door than the DRF views can call them.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

import msgspec
from django.conf import settings
from django.http import HttpRequest
from isal import isal_zlib

from pmonitor import problems
from servers import wire, wrong_fields

GZIP = 31  # zlib's wbits for the gzip format
T = TypeVar("T")


def read(request: HttpRequest) -> bytes:
    """The raw body of a JSON request; Problem 415 for another type, 413 past settings.REPORT_MAX_BYTES."""
    check_type(request.content_type or "")
    check_length(int(request.META.get("CONTENT_LENGTH") or 0))
    body = request.read(settings.REPORT_MAX_BYTES + 1)
    check_length(len(body))
    return body


def check_type(content_type: str) -> None:
    """Raise Problem 415 for another media type than JSON's."""
    if content_type != "application/json":
        raise problems.Problem(415, f"Send application/json, not {content_type or 'a body without a type'}.")


def check_length(length: int) -> None:
    """Raise Problem 413 past settings.REPORT_MAX_BYTES."""
    if length > settings.REPORT_MAX_BYTES:
        sentence = f"The body is larger than {settings.REPORT_MAX_BYTES:,} bytes, as sent or unpacked."
        raise problems.Problem(413, sentence)


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
    unzip = isal_zlib.decompressobj(GZIP)
    try:
        plain = unzip.decompress(body, settings.REPORT_MAX_BYTES + 1)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub takes the class for an instance
        raise problems.Problem(400, f"The body is not gzip: {error}.") from error
    check_length(len(plain))
    if not unzip.eof or unzip.unused_data:
        raise problems.Problem(400, "The body is not gzip: it is cut short or has something behind it.")
    return plain


def decoded(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The body as what the decoder makes; raises Problem 400 naming every wrong field."""
    value = decoded_quickly(data, decoder)
    return decoded_slowly(data, decoder.type) if value is None else value


def decoded_quickly(data: bytes, decoder: msgspec.json.Decoder[T]) -> T | None:
    """The body as what the decoder makes; None when it has to be looked at slowly."""
    if b"\\" in data and b"\\u0000" in data:  # the first alone is found ten times as quickly
        return None
    try:
        return decoder.decode(data)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def decoded_slowly(data: bytes, kind: type[T]) -> T:
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
