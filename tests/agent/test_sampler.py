"""Host readings of a watched server: those of the usual samples are over all the time since the last usual one."""

from __future__ import annotations

from agent.sampler import Rates


def load(cpu: float | None, rate: float | None) -> dict[str, float | None]:
    return {"cpu": cpu, "netRxBps": rate, "memUsedMB": 100.0}


def test_without_a_watch_every_reading_is_told_as_it_is() -> None:
    rates = Rates()
    assert rates.over(load(None, None), 100.0, between=False) == load(None, None)
    assert rates.over(load(50.0, 1000.0), 110.0, between=False) == load(50.0, 1000.0)


def test_a_usual_sample_is_over_what_was_in_between_by_its_time() -> None:
    rates = Rates()
    rates.over(load(1.0, 1.0), 100.0, between=False)
    assert rates.over(load(90.0, 0.0), 102.0, between=True) == load(90.0, 0.0)
    rates.over(load(10.0, 500.0), 108.0, between=True)
    assert rates.over(load(0.0, 0.0), 110.0, between=False) == load(24.0, 300.0)
    assert rates.over(load(7.0, 7.0), 120.0, between=False) == load(7.0, 7.0)


def test_where_one_of_them_is_not_known_the_whole_is_not() -> None:
    rates = Rates()
    rates.over(load(1.0, 1.0), 100.0, between=False)
    rates.over(load(10.0, None), 105.0, between=True)
    assert rates.over(load(20.0, 5.0), 110.0, between=False) == load(15.0, None)
