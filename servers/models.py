"""Servers, who may see them, and what they last reported. History's partitioned tables are in history.py."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from servers import networks, states
from servers.querysets import ServerQuerySet, ServiceQuerySet


class ServerGroup(models.Model):
    """Servers that belong together; a person's scope is a set of groups."""

    name = models.CharField(_("name"), max_length=80, unique=True)

    class Meta:
        verbose_name = _("server group")
        verbose_name_plural = _("server groups")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Scope(models.Model):
    """Which servers one person sees and may act on; without a row: none. Admins see all without one."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="scope")
    everything = models.BooleanField(_("all servers"), default=False)
    groups = models.ManyToManyField(ServerGroup, blank=True, related_name="scopes", verbose_name=_("server groups"))

    class Meta:
        verbose_name = _("scope")
        verbose_name_plural = _("scopes")

    def __str__(self) -> str:
        return str(self.user)


class EnrolmentKey(models.Model):
    """Lets agents register: only a keyed hash is kept. See enrolment.py."""

    prefix = models.CharField(max_length=12, unique=True)
    hash = models.CharField(max_length=64)
    note = models.CharField(_("note"), max_length=200, blank=True)
    group = models.ForeignKey(ServerGroup, null=True, blank=True, on_delete=models.SET_NULL)
    uses_left = models.PositiveIntegerField(_("uses left"), default=1)
    expires_at = models.DateTimeField(_("expires"))
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)

    class Meta:
        verbose_name = _("enrolment key")
        verbose_name_plural = _("enrolment keys")

    def __str__(self) -> str:
        return f"{self.prefix}…"


class Server(models.Model):
    """A monitored Linux machine; changes rarely. Its newest readings are in Newest."""

    agent_id = models.CharField(_("agent id"), max_length=64, unique=True)
    hostname = models.CharField(_("host name"), max_length=255)
    group = models.ForeignKey(ServerGroup, null=True, blank=True, on_delete=models.SET_NULL, related_name="servers")
    labels = models.JSONField(_("labels"), default=dict, blank=True)  # {"env": "prod"}
    state = models.CharField(
        _("state"), max_length=10, default=states.WAITING, choices=[(s, s) for s in states.SERVER_STATES]
    )
    state_since = models.DateTimeField(auto_now_add=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    token_prefix = models.CharField(max_length=12, unique=True)
    token_hash = models.CharField(max_length=64)
    allowed_networks = models.JSONField(
        _("allowed networks"), default=list, blank=True, validators=[networks.validate]
    )  # CIDR; empty: any address
    enrolled_at = models.DateTimeField(auto_now_add=True)
    enrolled_with = models.CharField(max_length=12, blank=True)  # the enrolment key's prefix: topic enrol:<prefix>

    objects: ClassVar = ServerQuerySet.as_manager()

    class Meta:
        verbose_name = _("server")
        verbose_name_plural = _("servers")
        ordering = ("hostname",)

    def __str__(self) -> str:
        return self.hostname


class Newest(models.Model):
    """A server's newest report, one row, updated in place by ingest.py; what lists and pages read."""

    server = models.OneToOneField(Server, primary_key=True, on_delete=models.CASCADE, related_name="newest")
    received_at = models.DateTimeField()  # the hub's clock
    sampled_at = models.DateTimeField()  # where the sample is placed, see PROTOCOL.md "Time"
    interval_sec = models.FloatField(default=10)
    seq = models.BigIntegerField(default=0)  # grows by one with each stored report; the version of what is shown
    recent_ts = models.JSONField(
        default=list
    )  # the agent's ts of the last stored reports: the same one twice is stored once
    cpu = models.FloatField(null=True)  # percent of all processors
    mem_used_mb = models.FloatField(null=True)
    mem_total_mb = models.FloatField(null=True)
    load1 = models.FloatField(null=True)
    uptime_sec = models.FloatField(null=True)
    procs_total = models.IntegerField(default=0)
    top_name = models.CharField(max_length=255, blank=True)  # the process with the most CPU
    top_cpu = models.FloatField(null=True)
    readings = models.JSONField(default=dict)  # every host reading of the report, by the protocol's names
    facts = models.JSONField(
        default=dict
    )  # hostname, os, kernel, cpuCount, version, bootId, bootTime, ticksPerSec, managers, allow, features, address
    procs = models.BinaryField(default=bytes)  # the process table, packed by proctable.py
    raw_ts = models.FloatField(null=True)  # of the newest raw row, until it is compacted; see rawtables.py
    raw_at = models.DateTimeField(null=True)  # when that was sampled
    raw_procs = models.BinaryField(null=True)  # its process table, where that is another than procs
    watched_until = models.DateTimeField(null=True)  # by who has the server's page open; see watching.py
    services_at = models.DateTimeField(null=True)
    disks = models.JSONField(null=True)  # [{mount, device, fs, usedMB, totalMB}] as last measured; see disks.py
    disks_at = models.DateTimeField(null=True)
    skews = models.JSONField(default=list, db_default=[])  # received - sentAt of the last reports; see clock_skew.py

    class Meta:
        verbose_name = _("newest report")
        verbose_name_plural = _("newest reports")

    def __str__(self) -> str:
        return f"{self.server_id} at {self.received_at:%H:%M:%S}"


class Service(models.Model):
    """A unit of the server's service manager as its agent last listed it."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="services")
    name = models.CharField(max_length=255)
    manager = models.CharField(max_length=20, default="systemd")
    description = models.CharField(max_length=255, blank=True)
    load_state = models.CharField(max_length=20, blank=True)
    active_state = models.CharField(max_length=20)
    sub_state = models.CharField(max_length=40, blank=True)
    main_pid = models.IntegerField(null=True)
    start_ticks = models.BigIntegerField(null=True)
    n_restarts = models.IntegerField(null=True)
    result = models.CharField(max_length=40, blank=True)
    since = models.DateTimeField(null=True)
    mem_mb = models.FloatField(null=True)
    tasks = models.IntegerField(null=True)
    unit_file_state = models.CharField(max_length=20, blank=True)
    type = models.CharField(max_length=40, blank=True, db_default="")  # a oneshot ends inactive when it is done
    aliases = models.JSONField(default=list, db_default=[])  # its other names
    triggered_by = models.JSONField(default=list, db_default=[])  # sockets, timers, paths at work that start it
    last_exit = models.CharField(max_length=40, blank=True, db_default="")  # "0", "7", "SIGSEGV", "oom-kill"
    reloaded_at = models.DateTimeField(null=True)
    reload_status = models.IntegerField(null=True)  # the exit code of that reload
    verbs = models.JSONField(default=list)  # what the unit can do and its owner allows
    can = models.JSONField(null=True)  # what the unit can do, whatever its owner allows; None: its agent does not tell

    objects: ClassVar = ServiceQuerySet.as_manager()

    class Meta:
        verbose_name = _("service")
        verbose_name_plural = _("services")
        constraints = [models.UniqueConstraint(fields=["server", "name"], name="one_row_per_service")]

    def __str__(self) -> str:
        return self.name


class StateChange(models.Model):
    """From when on a server was up or silent, or when it booted anew; see spells.py. Never changed, but for clocks."""

    server = models.ForeignKey(Server, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()  # silent: when it was last heard of
    state = models.CharField(max_length=10)  # up, silent or rebooted

    class Meta:
        verbose_name = _("change of state")
        verbose_name_plural = _("changes of state")
        indexes: ClassVar = [models.Index(fields=["server", "at"], name="state_change_by_time")]  # state_history.py

    def __str__(self) -> str:
        return f"{self.server_id} {self.state} from {self.at:%H:%M:%S}"


class HubAbsence(models.Model):
    """From when to when the hub took no reports, and why; see hub_absences.py."""

    STOPPED, ASLEEP, CLOCK, DATABASE = "stopped", "asleep", "clock set", "database away"

    start = models.DateTimeField()
    end = models.DateTimeField(db_index=True)  # few are of now
    why = models.CharField(max_length=20)

    class Meta:
        verbose_name = _("absence of the hub")
        verbose_name_plural = _("absences of the hub")
        ordering = ("start",)
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(end__gte=models.F("start")), name="absence_ends_after_its_start")
        ]

    def __str__(self) -> str:
        return f"{self.why} from {self.start:%H:%M:%S} to {self.end:%H:%M:%S}"


class HubBeat(models.Model):
    """The one row that says when a web process last took reports; see hub_absences.py."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    at = models.DateTimeField()
    told_at = models.DateTimeField(db_default=Now())  # by the database's clock, which all have in common
    since = models.DateTimeField()  # from when on without a break
    boot_sec = models.FloatField()  # seconds since boot, with those asleep
    awake_sec = models.FloatField()  # without them
    boot_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = _("sign of life of the hub")
        verbose_name_plural = _("signs of life of the hub")

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S}"
