"""Columns of values as bytes, for process tables at rest: the small alphabet that docs/history-format.md describes.

Whole numbers are zigzagged (0, -1, 1, -2 … become 0, 1, 2, 3 …) and stored as planes: first the lowest byte of each,
then the second byte of each, and so on. Small numbers so leave planes of zeros, which zstd packs to nothing.
A column of values is a kind, what the kind needs, and a code for each value, stored as differences.
"""

from __future__ import annotations

import operator
import struct
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from itertools import accumulate, chain, pairwise
from typing import Any, Final, TypeVar

from servers.planes import TYPECODES, Planes, little, zigzag

WHOLE, DECIMAL, LISTED, WORDS = range(4)  # kinds of columns
EXPONENTS: Final = (0, 1, 2, 3, 6)  # decimals that are tried, the fewest first
LARGEST: Final = 2**52  # up to here a double holds every whole number
AROUND: Final = 2**64  # differences and sums are taken modulo this, so that they always fit in 8 bytes
T = TypeVar("T")


class Writer:
    """Builds bytes out of numbers and columns."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def number(self, value: int) -> None:
        """A whole number of 0 and more: 7 bits a byte, the lowest first, the top bit set in all but the last."""
        while value > 127:
            self.bytes.append(value & 127 | 128)
            value >>= 7
        self.bytes.append(value)

    def ints(self, values: Sequence[int]) -> None:
        """Whole numbers of 64 bits; how many they are, the reader knows."""
        self._planes(_narrowest(values))

    def sparse(self, count: int, places: Sequence[int], values: Sequence[int]) -> None:
        """As many whole numbers, all of them 0 but those at these places."""
        few = _narrowest(values)
        numbers = array(few.typecode, bytes(few.itemsize * count))
        for place, value in zip(places, few, strict=True):
            numbers[place] = value
        self._planes(numbers)

    def _planes(self, numbers: array[int]) -> None:
        width = numbers.itemsize if any(numbers) else 0
        self.bytes.append(width)
        if width:
            zigzagged = zigzag(little(numbers), width)
            planes = (zigzagged[plane::width] for plane in range(width))
            self.bytes += zigzagged if width == 1 else b"".join(planes)

    def strings(self, texts: Sequence[str]) -> None:
        """Any texts: their number, their lengths in bytes of UTF-8, and these bytes."""
        self.texts([text.encode() for text in texts])

    def texts(self, encoded: Sequence[bytes]) -> None:
        """The same, of texts that are bytes already."""
        self.number(len(encoded))
        self.ints(list(map(len, encoded)))
        self.bytes += b"".join(encoded)

    def whole(self, values: Sequence[int | None]) -> None:
        """A column of whole numbers from 0 to 2**63-1 or None."""
        self._differences(values, self.whole_codes(values))

    def numbers(self, values: Sequence[float | None]) -> None:
        """A column of doubles or None."""
        self._differences(values, self.number_codes(values))

    def words(self, values: Sequence[str]) -> None:
        """A column of texts."""
        self._differences(values, self.word_codes(values))

    def whole_codes(self, values: Iterable[int | None]) -> dict[int | None, int]:
        """Begin a column of whole numbers; the code of each."""
        self.bytes.append(WHOLE)
        return {value: 0 if value is None else value + 1 for value in values}

    def number_codes(self, values: Sequence[float | None]) -> dict[float | None, int]:
        """Begin a column of doubles, as decimals where all are such, else as a list; the code of each."""
        for exponent in EXPONENTS:
            codes = Decimals(10**exponent)
            try:
                deque(map(codes.__getitem__, values), 0)
            except NotDecimal:
                continue
            self.bytes += bytes((DECIMAL, exponent))
            return codes
        listed = sorted({value for value in values if value is not None})
        self.bytes.append(LISTED)
        self.number(len(listed))
        self.bytes += struct.pack(f"<{len(listed)}d", *listed)
        return {value: code for code, value in enumerate([None, *listed])}

    def word_codes(self, values: Iterable[str]) -> dict[str, int]:
        """Begin a column of texts: those there are, in the order they first come in; the code of each."""
        words = list(dict.fromkeys(values))
        self.bytes.append(WORDS)
        self.strings(words)
        return {word: code for code, word in enumerate(words)}

    def _differences(self, values: Sequence[T], code_of: dict[T, int]) -> None:
        """Each value's code as the difference to the one before."""
        codes = list(map(code_of.__getitem__, values))
        differences = codes[:1] + list(map(operator.sub, codes[1:], codes))
        if max(codes, default=0) >= AROUND // 4:
            differences = [(value + AROUND // 2) % AROUND - AROUND // 2 for value in differences]
        self.ints(differences)


class NotDecimal(Exception):
    """A value has more decimals than that."""


class Decimals(dict["float | None", int]):
    """The code of each number that is a whole number divided by the scale, as they are asked for."""

    def __init__(self, scale: int) -> None:
        super().__init__({None: 0})
        self.scale = scale

    def __missing__(self, value: float) -> int:
        code = round(value * self.scale) + 1
        if not (0 < code < LARGEST and (code - 1) / self.scale == value):
            raise NotDecimal
        self[value] = code
        return code


class Column:
    """A column as read: the differences of its codes, and what values codes stand for."""

    def __init__(self, differences: Planes, values_of: Callable[[Iterable[int]], list[Any]]) -> None:
        self._differences, self._values_of = differences, values_of

    def at(self, cells: Iterable[tuple[int, int]]) -> list[Any]:
        """The values at these positions: pairs of where a stretch begins and the position in it."""
        total = self._differences.total
        return self._values_of([total(start, position) % AROUND for start, position in cells])

    def stretch(self, start: int, stop: int) -> list[Any]:
        """The values of a whole stretch from its start."""
        return self.stretches([start, stop])

    def peak(self, start: int, first: int, stop: int) -> tuple[Any, int]:
        """The largest value of a column of numbers from first on up to stop, in a stretch from start; how far on it is.

        The codes of numbers rise with them, None being the least: so only one of them is turned into its value.
        """
        differences = self._differences.numbers(start, stop)
        codes: Iterable[int] = accumulate(differences)
        known = [code % AROUND for code in codes] if differences.itemsize == 8 else list(codes)
        wanted = known[first - start :]
        most = max(wanted)
        return self._values_of([most])[0], wanted.index(most)

    def most(self, stretches: Iterable[tuple[int, int]]) -> list[Any]:
        """The largest value of each whole stretch of a column of numbers; see `peak`."""
        return self._values_of(list(map(self._most, *zip(*stretches, strict=True))))

    def _most(self, start: int, stop: int) -> int:
        if self._differences.are_zero(start + 1, stop):
            return self._differences.total(start, start) % AROUND
        differences = self._differences.numbers(start, stop)
        codes: Iterable[int] = accumulate(differences)
        return max(code % AROUND for code in codes) if differences.itemsize == 8 else max(codes)

    def stretches(self, edges: Sequence[int]) -> list[Any]:
        """The values of stretches one after the other; edges: where each begins, and where the last one ends."""
        origin = edges[0]
        differences = self._differences.numbers(origin, edges[-1])
        parts = (differences[start - origin : stop - origin] for start, stop in pairwise(edges))
        codes = chain.from_iterable(map(accumulate, parts))
        return self._values_of([code % AROUND for code in codes] if differences.itemsize == 8 else codes)


class Words(Column):
    """A column of texts, none of which is made a text of before one is asked for."""

    def __init__(self, differences: Planes, ends: Sequence[int], blob: bytes) -> None:
        super().__init__(differences, lambda codes: list(map(self.words.__getitem__, codes)))
        self._ends, self._blob = ends, blob

    @cached_property
    def words(self) -> list[str]:
        """The texts there are, each once."""
        return _cut(self._blob, self._ends)

    def fitting(self, fits: Callable[[str], bool], count: int) -> list[int]:
        """At which of the first `count` places a text fits; each text is looked at once."""
        good = list(map(fits, self.words))
        if not any(good):
            return []
        return [place for place, code in enumerate(accumulate(self._differences.numbers(0, count))) if good[code]]


class Reader:
    """Reads what a Writer wrote, in the same order; raises ValueError where the bytes end too early."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, size: int) -> bytes:
        """So many bytes."""
        taken = self.data[self.position : self.position + size]
        if len(taken) != size:
            raise ValueError(f"{size} bytes wanted at {self.position}, there are {len(taken)}")
        self.position += size
        return taken

    def rest(self) -> bytes:
        """All that was not read yet."""
        return self.take(len(self.data) - self.position)

    def number(self) -> int:
        """As Writer.number wrote it."""
        value = shift = 0
        while (byte := self.take(1)[0]) > 127:
            value |= (byte & 127) << shift
            shift += 7
        return value | byte << shift

    def ints(self, count: int) -> array[int]:
        """As Writer.ints wrote them."""
        return self.planes(count).numbers(0, count)

    def planes(self, count: int) -> Planes:
        width = self.take(1)[0]
        if width and width not in TYPECODES:
            raise ValueError(f"numbers of {width} bytes")
        return Planes(self.take(width * count), width, count)

    def strings(self) -> list[str]:
        """As Writer.strings wrote them."""
        ends, blob = self._texts()
        return _cut(blob, ends)

    def _texts(self) -> tuple[list[int], bytes]:
        ends = list(accumulate(self.ints(self.number())))
        return ends, self.take(ends[-1] if ends else 0)

    def column(self, count: int) -> Column:
        """A column of any kind."""
        match self.take(1)[0]:
            case 0:  # WHOLE
                return Column(self.planes(count), lambda codes: [code - 1 if code else None for code in codes])
            case 1:  # DECIMAL
                scale = 10 ** self.take(1)[0]
                return Column(self.planes(count), partial(_decimals, scale))
            case 2:  # LISTED
                size = self.number()
                listed: list[Any] = [None, *struct.unpack(f"<{size}d", self.take(8 * size))]
            case 3:  # WORDS
                ends, blob = self._texts()
                return Words(self.planes(count), ends, blob)
            case kind:
                raise ValueError(f"a column of an unknown kind: {kind}")
        return Column(self.planes(count), lambda codes: list(map(listed.__getitem__, codes)))


def _cut(blob: bytes, ends: Sequence[int]) -> list[str]:
    return [blob[start:end].decode() for start, end in pairwise([0, *ends])]


def _decimals(scale: int, codes: Iterable[int]) -> list[float | None]:
    return [(code - 1) / scale if code else None for code in codes]


def _narrowest(values: Sequence[int]) -> array[int]:
    """The numbers in as few bytes each as hold them all."""
    for typecode in "bhi":
        try:
            return array(typecode, values)
        except OverflowError:
            pass
    return array("q", values)
