"""Rules and series by chance, as they are given to Prometheus and to us."""

from __future__ import annotations

from random import Random

from tests.alerts.promtool import Asked, Series

LIMIT = 90.1  # no whole number: what is kept in four bytes is not that


def a_pair(chance: Random, length: int = 45) -> tuple[Asked, Series]:
    """A rule, and a series that crosses its levels often: it dances on them, jumps over them, and has gaps."""
    below = chance.random() < 0.3
    clear = None if chance.random() < 0.5 else LIMIT + (5 if below else -5)
    k_of_n = chance.choice([(None, None)] * 3 + [(2, 3), (3, 5), (5, 5)])
    asked = Asked(
        limit=LIMIT,
        below=below,
        clear=clear,
        for_sec=chance.choice([0, 0, 10, 20, 30, 50, 25]),
        clear_for_sec=chance.choice([0, 0, 0, 10, 20, 40, 25]),
        k=k_of_n[0],
        n=k_of_n[1],
    )
    return asked, _series(chance, asked, length)


def _series(chance: Random, asked: Asked, length: int) -> Series:
    levels = [LIMIT, LIMIT + 0.1, LIMIT - 0.1, LIMIT + 5, LIMIT - 5, LIMIT + 5.1, LIMIT - 5.1, LIMIT + 9, LIMIT - 9]
    series: list[float | None] = []
    while len(series) < length:
        if chance.random() < 0.12 and asked.n is None:  # Prometheus counts what was before a gap, too
            series += [None] * chance.randint(4, 9)
        value = chance.choice(levels)
        series += [round(value, 1)] * chance.choice([1, 1, 2, 3, 6])
    return series[:length]
