"""What kinds of services are protected, why, and which are from the start: data."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from actions import states

ACCESS, NETWORK, DATABASE, SYSTEM, HUB, OTHER = "access", "network", "database", "system", "hub", "other"
VERBS = (states.STOP, states.RESTART)  # what of them can cut somebody off

# kind -> (what it is called in a list, what stopping one of them does)
KINDS: dict[str, tuple[Any, Any]] = {
    ACCESS: (_("Access"), _("People reach this server through it.")),
    NETWORK: (_("Network"), _("It is this server's network: without it neither hub nor people reach the server.")),
    DATABASE: (_("Database"), _("It is a database: what uses it stops working.")),
    SYSTEM: (_("System"), _("The rest of the system leans on it.")),
    HUB: (_("Process Monitor"), _("It is a part of Process Monitor: without it this server is not watched.")),
    OTHER: (_("Other"), _("It is on the list of protected services.")),
}
CHOICES = [(kind, words[0]) for kind, words in KINDS.items()]

DEFAULTS = {
    ACCESS: ("ssh.service", "sshd.service", "ssh@*.service", "dropbear.service", "systemd-logind.service"),
    NETWORK: (
        "networking.service", "NetworkManager.service", "systemd-networkd.service", "systemd-resolved.service",
        "wpa_supplicant.service", "firewalld.service", "nftables.service", "wg-quick@*.service", "openvpn*.service",
        "tailscaled.service",
    ),
    DATABASE: (
        "postgresql*.service", "mysql*.service", "mariadb*.service", "mongod.service", "elasticsearch.service",
        "clickhouse-server.service", "etcd.service",
    ),
    SYSTEM: (
        "dbus.service", "dbus-broker.service", "polkit.service", "systemd-journald.service", "systemd-udevd.service",
        "docker.service", "containerd.service", "libvirtd.service",
    ),
    HUB: ("pmonitor*.service",),
}  # fmt: skip
