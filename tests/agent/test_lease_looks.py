"""What a lease makes of a service that cannot be looked at."""

from __future__ import annotations

import threading
from pathlib import Path

from agent.allow import Allow
from agent.hubclock import HubClock
from agent.leasebook import LeaseBook, machine_clock
from agent.leases import Leases
from agent.managers.supervisord import Supervisord
from agent.servicetable import ServiceTable
from tests.agent.conftest import eventually


def test_a_look_that_fails_before_its_time_is_no_attempt(supervisor: str, tmp_path: Path) -> None:
    table = ServiceTable([Supervisord(supervisor)], Allow("*:*"))
    table.detect()
    table.refresh(lambda pid: None)
    assert table.state_of("web") == "active"
    Path(supervisor).unlink()  # from here on nobody answers
    stop, book = threading.Event(), LeaseBook(tmp_path / "leases.json", machine_clock())
    book.put("c1", target="web", state="held", attempts=0, **book.ends_in(60))
    leases = Leases(book, table, Allow("*:*"), HubClock(), 0, stop)
    looking = threading.Thread(target=leases.run)
    looking.start()
    eventually(leases.lock_of("web").locked)
    stop.set()
    leases.lock_of("web").acquire()
    looking.join(10)
    lease = book.get("c1")
    assert lease is not None
    assert (lease["state"], lease["attempts"]) == ("held", 0)
