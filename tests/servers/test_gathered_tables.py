"""Raw process tables of reports that follow each other: each a change of the one before, wherever that is known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from servers import changes, ingest, proctable, rawtables, report_rows
from servers.gathering import Gatherer
from servers.ingest import Incoming
from servers.models import Server
from servers.outlines import Remembered
from tests.servers.gathered import NOW, incoming, outcomes, together
from tests.servers.reports import proc

pytestmark = pytest.mark.django_db(transaction=True)


def raw_tables(server: Server) -> list[tuple[bool, list[int]]]:
    """Whether each raw table is stored as a change, and the pids that it has when it is read."""
    rows = rawtables.rows(server.pk, NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    samples = {sample.key: sample.table for sample in rawtables.samples(rows)}
    return [(changes.is_change(row.procs), [one.pid for one in proctable.procs_of(samples[row.key])]) for row in rows]


def tables(server: Server, *pids: int) -> list[Incoming]:
    """Reports one second after the other, each with one more of these processes, too small to be stored whole."""
    start = rawtables.chain_start(NOW + timedelta(minutes=12)) - NOW
    many = [proc(pid, cmdline=f"/usr/bin/worker --number {pid * 7919}") for pid in range(100, 130)]
    return [
        incoming(server, ts, start.total_seconds() + ts, procs=[*many, *(proc(pid) for pid in pids[: ts + 1])])
        for ts in range(len(pids))
    ]


def test_the_next_table_is_a_change_of_what_is_remembered(
    gatherer: Gatherer, web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tables(web1, 1, 2)
    assert outcomes(together(gatherer, one)) == ["stored"]
    monkeypatch.setattr(report_rows, "RAW_TABLES", "not to be executed")
    assert outcomes(together(gatherer, two)) == ["stored"]
    (was_whole, _), (is_change, pids) = raw_tables(web1)[-2:]
    assert (was_whole, is_change, pids[30:]) == (False, True, [1, 2])


def test_a_table_that_another_process_stored_is_read(
    gatherer: Gatherer, web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = tables(web1, 1, 2, 3)
    together(gatherer, one)
    mine = report_rows.TABLES
    monkeypatch.setattr(report_rows, "TABLES", Remembered())
    together(gatherer, two)
    monkeypatch.setattr(report_rows, "TABLES", mine)
    together(gatherer, three)
    assert [(change, pids[30:]) for change, pids in raw_tables(web1)] == [
        (False, [1]), (True, [1, 2]), (True, [1, 2, 3])
    ]  # fmt: skip


def test_a_table_that_was_not_committed_is_not_built_on(
    gatherer: Gatherer, web1: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = tables(web1, 1, 2, 3)
    together(gatherer, one)
    with monkeypatch.context() as broken:
        broken.setattr(ingest, "_besides", lambda _taken: 1 / 0)
        assert outcomes(together(gatherer, two)) == ["ZeroDivisionError"]
    assert outcomes(together(gatherer, three)) == ["stored"]
    assert [(change, pids[30:]) for change, pids in raw_tables(web1)] == [(False, [1]), (True, [1, 2, 3])]
