"""Fills a hub's database with a fleet to look at: servers in groups, half an hour of readings, processes, services.

    python bench/seed.py 2000           makes them (again is harmless: known servers get a new report)
    python bench/seed.py 2000 --live    and goes on reporting for all of them every 10 s, until Ctrl-C

DATABASE_URL and SECRET_KEY name the hub, as for manage.py. Reports go through servers.ingest.store, as an agent's do;
only the past half hour is written straight into the table. Nothing here is for production.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "pmonitor.settings")

import django

django.setup()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from pmonitor import secrets  # noqa: E402
from servers import ingest, states  # noqa: E402
from servers.models import HubAbsence, Server, ServerGroup, StateChange  # noqa: E402
from servers.wire import Load, Proc, Report, Service  # noqa: E402

KINDS = {  # group: host name, its main process, how many of a hundred servers
    "Web": ("web", "php-fpm8.4", 32),
    "PostgreSQL": ("pg", "postgres", 12),
    "Kafka": ("kafka-broker-{site}1-rack{rack:02}-node", "java", 6),
    "Redis": ("cache", "redis-server", 14),
    "Batch": ("batch", "python3.13", 8),
    "Build": ("build", "gcc", 6),
    "Search": ("search", "java", 8),
    "Gateway": ("gw", "haproxy", 4),
    "Mail": ("mail", "postfix", 4),
    "Staging": ("stage", "node", 6),
}
SITES = ("buh", "fra", "clj", "ams")
UNITS = ("nginx", "ssh", "cron", "redis-server", "postgresql@16-main", "systemd-journald", "pmonitor-agent")

HISTORY = """
INSERT INTO servers_hostreading (server_id, sampled_at, ts, procs_total, cpu, mem_used_mb, mem_total_mb, load1)
SELECT s.id, at, extract(epoch FROM at), 180,
    greatest(0, least(100, s.id * 31 %% 97 + 9 * sin(extract(epoch FROM at) / 300 + s.id) + 4 * random())),
    16000 * (0.2 + s.id * 13 %% 77 / 100.0 + 0.01 * random()), 16000, s.id * 31 %% 97 / 12.0
FROM servers_server s, generate_series(%s::timestamptz, %s::timestamptz, interval '1 minute') at
WHERE s.id = ANY(%s) ON CONFLICT DO NOTHING"""


def make_servers(count: int, chance: random.Random) -> list[Server]:
    """The servers, made where they are missing."""
    groups = {name: ServerGroup.objects.get_or_create(name=name)[0] for name in KINDS}
    kinds = [name for name, (_, _, share) in KINDS.items() for _ in range(share)]
    wanted = []
    for number in range(count):
        kind, site = kinds[number * 37 % len(kinds)], SITES[number % len(SITES)]
        name = KINDS[kind][0].format(site=site, rack=number % 20)
        hostname = f"{name}-{number:04}.internal.example.net" if kind == "Kafka" else f"{name}-{site}-{number:04}"
        labels = {"env": chance.choice(("prod", "prod", "prod", "stage")), "site": f"{site}1"}
        _, prefix, hashed = secrets.new("pma")
        wanted.append(
            Server(agent_id=f"seed-{number:04}", hostname=hostname, group=groups[kind], labels=labels,
                   token_prefix=prefix, token_hash=hashed)
        )  # fmt: skip
    Server.objects.bulk_create(wanted, ignore_conflicts=True)
    return list(Server.objects.filter(agent_id__startswith="seed-").select_related("group").order_by("pk")[:count])


def a_report(server: Server, chance: random.Random, processes: int = 12) -> Report:
    """A report as this kind of server might send it, sampled now."""
    main = KINDS[server.group.name][1] if server.group else "init"
    cpu = max(0.0, min(100.0, server.pk * 31 % 97 + chance.gauss(0, 3)))
    memory = 16_000 * (0.2 + (server.pk * 13 % 77) / 100)
    procs = [
        Proc(name=main if place < 4 else f"worker-{place}", pid=1000 + place, cpu=round(cpu * 0.9 / (place + 1), 1),
             mem_mb=80.0 + place, status="sleeping", user="www-data", cmdline=f"{main} --role {place}",
             ppid=1, threads=4, start_ticks=5000 + place)
        for place in range(processes)
    ]  # fmt: skip
    services = [
        Service(name=f"{unit}.service", active_state="active", sub_state="running", main_pid=1000 + place,
                verbs=["start", "stop", "restart"])
        for place, unit in enumerate(UNITS)
    ]  # fmt: skip
    load = Load(cpu=round(cpu, 1), mem_used_mb=memory, mem_total_mb=16_000, load1=round(cpu / 12, 2))
    return Report(
        agent_id=server.agent_id, ts=time.time(), procs=procs, load=load, uptime_sec=86_400.0 * (server.pk % 300 + 1),
        os="Debian GNU/Linux 12", kernel="6.1.0", cpu_count=8, version="0.1.0", services=services,
    )  # fmt: skip


def seed(count: int) -> list[Server]:
    """Make the servers with a past; some of them silent, one not yet heard of."""
    chance = random.Random(7)
    servers = make_servers(count, chance)
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(HISTORY, [now - timedelta(minutes=30), now, [server.pk for server in servers[1:]]])
    for server in servers[1:]:
        ingest.store(server, a_report(server, chance), now)
    for place, server in enumerate(servers[5 :: max(1, count // 4)][:4]):
        since = now - timedelta(minutes=1 + 15 * place)
        server.newest.__class__.objects.filter(server=server).update(received_at=since)
        Server.objects.filter(pk=server.pk).update(state=states.SILENT, state_since=since)
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM servers_hostreading WHERE server_id = %s AND sampled_at > %s", [server.pk, since]
            )
    return servers


def live_through(servers: list[Server], start: datetime, end: datetime) -> None:
    """Give them the states of that time: up, but for ten minutes a week, and with a hub that is away once a month."""
    short, weeks = timedelta(minutes=10), (end - start) // timedelta(days=7)
    changes = [(start, states.UP)]
    for week in range(1, weeks + 1):
        at = start + week * timedelta(days=7) - 2 * short
        changes += [(at, states.SILENT), (at + short, states.UP)]
    StateChange.objects.filter(server__in=servers).delete()  # those of the reports that made them known
    StateChange.objects.bulk_create(
        StateChange(server=server, at=at, state=state) for server in servers for at, state in changes
    )
    away = [start + month * timedelta(days=30) - timedelta(hours=1) for month in range(1, (end - start).days // 30 + 1)]
    HubAbsence.objects.bulk_create(HubAbsence(start=at, end=at + short, why=HubAbsence.STOPPED) for at in away)


def go_on(servers: list[Server]) -> None:
    """Report for every server every 10 s; those made silent stay so."""
    chance = random.Random()
    silent = set(Server.objects.filter(state=states.SILENT).values_list("pk", flat=True))
    alive = [server for server in servers[1:] if server.pk not in silent]
    while True:
        started = time.monotonic()
        for place, server in enumerate(alive):
            ingest.store(server, a_report(server, chance), timezone.now())
            time.sleep(max(0.0, started + 10 * (place + 1) / len(alive) - time.monotonic()))


def main() -> None:
    parser = argparse.ArgumentParser(description="Fill a hub with a fleet to look at.")
    parser.add_argument("servers", type=int, help="how many")
    parser.add_argument("--live", action="store_true", help="go on reporting every 10 s")
    asked = parser.parse_args()
    servers = seed(asked.servers)
    print(f"{len(servers)} servers")
    if asked.live:
        go_on(servers)


if __name__ == "__main__":
    main()
