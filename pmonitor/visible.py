"""Text from other machines made safe to read: what would act on the page or hide in it is shown as a sign."""

from __future__ import annotations

_CONTROLS = {code: chr(0x2400 + code) for code in range(0x20)} | {0x7F: "␡"}
_C1 = {code: f"\\x{code:02x}" for code in range(0x80, 0xA0)}
_LINES = {code: f"\\u{code:04x}" for code in (0x2028, 0x2029)}
_BIDI = {code: f"\\u{code:04x}" for code in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_HIDDEN = {code: f"\\u{code:04x}" for code in (0xAD, 0x200B, 0x2060, 0xFEFF)}
_ONE_LINE = _CONTROLS | _C1 | _LINES | _BIDI | _HIDDEN
_LINES_KEPT = {code: sign for code, sign in _ONE_LINE.items() if code not in (0x09, 0x0A)}


def visible(text: str) -> str:
    """The text on one line, with control, direction and invisible characters as signs; not escaped."""
    return text if text.isascii() and text.isprintable() else _whole(text).translate(_ONE_LINE)


def visible_lines(text: str) -> str:
    """The same for a log: its line ends and tabs stay."""
    return _whole(text.replace("\r\n", "\n")).translate(_LINES_KEPT)


def _whole(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be sent
