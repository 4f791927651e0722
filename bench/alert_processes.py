"""What a round of process and service rules takes over a fleet.

    python bench/alert_processes.py [SERVERS [RULES]]

2,000 servers of 500 processes and 60 services by default, 40 process rules of all kinds and ways to mean a process, and
10 service rules, none of which fires but a few. A round looks at 700 servers; beside it the same over all servers, and
the floor: fetching and unpacking the tables. CPU is of Python and of the PostgreSQL process that serves it.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import process_search
from bench.budgets import Budget, close

from django.utils import timezone  # isort: skip
from alerts.evaluate import processes, service_states, service_times  # isort: skip
from alerts.evaluate.found import Aim, Finder, Seen, Stretch  # isort: skip
from alerts.evaluate.process_tables import Turns  # isort: skip
from alerts.models import Rule  # isort: skip
from alerts.rules import kinds  # isort: skip
from servers.models import Newest, Server, Service  # isort: skip

SERVICES = 60
LISTED_IN_A_ROUND = 30  # one of so many servers lists its services: each 5 minutes, and when something changed
MEANT = (  # by, pattern: some that many have, most that few or none have
    *(("name", name) for name in ("nginx", "postgres", "no-such-*", "java", "kafka-?", "systemd-journal", "x*y")),
    *(("name", f"daemon-{number}") for number in range(15)),
    *(("cmdline", part) for part in ("app.worker --queue q7", "no-such-part", "kafka.Kafka")),
    ("user", "nobody-has-this"),
    ("user", "deploy"),
    *(("service", f"unit-{number}.service") for number in (1, 2, 3, 99)),
)
KINDS = (  # kind, limit
    (kinds.TOO_MANY, 400), (kinds.PROCESS_CPU, 5_000), (kinds.PROCESS_MEMORY, 900_000), (kinds.MISSING, 0),
    (kinds.RESTARTING, 3),
)  # fmt: skip


def process_rules(count: int) -> list[Rule]:
    """So many rules of all kinds in turns."""
    made = []
    for number in range(count):
        (kind, limit), (by, pattern) = KINDS[number % len(KINDS)], MEANT[number % len(MEANT)]
        more = {"withinSec": 600} if kind == kinds.RESTARTING else {}
        params = {"by": by, "pattern": pattern} | more
        made.append(Rule(name=f"p{number}", kind=kind, params=params, limit=limit, severity="warning", made_at=NOW))
    return Rule.objects.bulk_create(made)


def service_rules() -> list[Rule]:
    """Ten rules on services."""
    made = []
    for number, kind in enumerate((kinds.FAILED, kinds.INACTIVE, kinds.FLAPPING, kinds.RESTARTED) * 3):
        window = {"withinSec": 600} if kind in (kinds.FLAPPING, kinds.RESTARTED) else {}
        params = {"service": "*" if number < 4 else f"unit-{number}*"} | window
        made.append(Rule(name=f"s{number}", kind=kind, params=params, limit=3, severity="warning", made_at=NOW))
    return Rule.objects.bulk_create(made)


def list_services(servers: Sequence[Server]) -> None:
    """Sixty services each, half of which run; a few failed."""
    Newest.objects.update(services_at=NOW - timedelta(minutes=3), facts={"bootId": "a"})
    ids = [server.pk for server in servers[::LISTED_IN_A_ROUND]]
    Newest.objects.filter(server__in=ids).update(services_at=NOW)
    for server in servers:
        Service.objects.bulk_create(
            Service(
                server=server, name=f"unit-{number}.service", active_state="active" if number < 30 else "inactive",
                main_pid=300 + 20 * number if number < 30 else None, unit_file_state="disabled",
                sub_state="running", n_restarts=0, since=NOW - timedelta(days=3),
            )
            for number in range(SERVICES)
        )  # fmt: skip


def look(finder: Finder, aims: Sequence[Aim], most: int) -> list[Seen]:
    """A round in which all servers have something new."""
    vars(processes).update(AT_MOST=most, TURNS=defaultdict(Turns))
    return list(finder(aims, Stretch(NOW - timedelta(seconds=10), _until), []))


def main() -> None:
    """Fill, look, say how it stands with the budget."""
    given = [int(word) for word in sys.argv[1:]]
    count, rules = given + [2000, 40][len(given) :]
    servers = process_search.servers_of(count)
    process_search.report(servers)
    list_services(servers)
    ids = [server.pk for server in servers]
    floor = process_search.cost(partial(process_search.unpack_now, ids), 5)
    print(f"{'fetch and unpack all':40}{floor.wall:10.0f} ms{floor.cpu:10.0f} ms CPU")
    aims = [Aim(one, ids) for one in process_rules(rules)]
    costs = {}
    for most in (700, count):
        found = look(processes.find, aims, most)  # what rules on restarts remember is written the first time
        costs[most] = process_search.cost(partial(look, processes.find, aims, most), 5)
        title = f"{rules} process rules, {most:,} servers"
        print(f"{title:40}{costs[most].wall:10.0f} ms{costs[most].cpu:10.0f} ms CPU{len(found):8,} found")
    service_aims = [Aim(one, ids) for one in service_rules()]
    for finder, of in ((service_states.find, service_states.FINDERS), (service_times.find, service_times.FINDERS)):
        mine = [aim for aim in service_aims if aim.rule.kind in of]
        costs[0] = took = process_search.cost(partial(look, finder, mine, 700), 5)
        title = f"{len(mine)} rules: {', '.join(of)}"
        print(f"{title:40}{took.wall:10.0f} ms{took.cpu:10.0f} ms CPU")
    close(Budget(f"a round of {rules} process rules, {count:,} servers, CPU", costs[700].cpu, 800, "ms"))


NOW: datetime = timezone.now()
_until = NOW + timedelta(minutes=30)

if __name__ == "__main__":
    main()
