"""Sends through Apprise, and tells which of its addresses a contact may have.

Apprise connects by itself, so its connections cannot be looked at as ours are. Therefore a service whose address names
the host to connect to (json://, gotify://, mailto://…), acts on the hub's own machine or reads its files is left to
contacts that may use internal addresses. Apprise follows no redirects here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module
from typing import Any

from alerts.notify.failures import DeliveryError
from alerts.notify.messages import Message
from alerts.notify.posting import TOTAL_SEC, judge

ON_THE_HUB = {
    "blink1", "dbus", "gio", "glib", "gnome", "kde", "macosx", "qt", "syslog", "windows",
}  # fmt: skip
READ_FILES = {"fcm", "vapid"}  # the names of keys' files are part of their addresses
FREE_HOSTS = {"nostr"}  # relays, which are no {host} in its templates
STATUS = re.compile(r"error=(\d{3})\b")
TYPES = {"critical": "failure", "warning": "warning"}


@lru_cache(maxsize=1)
def _library() -> Any:
    """Apprise, when it is first needed: it takes 45 MB, which a hub without such a contact need not have."""
    return import_module("apprise")


def known(address: str) -> bool:
    """Whether Apprise can use the address."""
    return _plugin(address) is not None


def needs_internal(address: str) -> bool:
    """Whether the service may connect to any host, act on the hub's machine, or read its files."""
    plugin = _plugin(address)
    schema = address.partition("://")[0].casefold()
    if schema in ON_THE_HUB | READ_FILES | FREE_HOSTS:
        return True
    return plugin is None or any("{host}" in template for template in plugin.templates)


def send(address: str, message: Message, allow_internal: bool) -> None:
    """Send to the service that the address names. Raises DeliveryError."""
    plugin = _plugin(address)
    if plugin is None:
        raise DeliveryError("address", permanent=True)
    if not allow_internal and needs_internal(address):
        raise DeliveryError("internal", permanent=True)
    library = _library()
    sender = library.Apprise(asset=_asset())
    sender.add(plugin)
    kind = library.NotifyType(TYPES.get(message.severity, "info") if not message.good else "success")
    result = sender.notify(
        title=message.title, body=message.body, notify_type=kind, body_format="text", timeout=TOTAL_SEC
    )
    if result:
        return
    if result.status == library.AppriseResultStatus.TIMEOUT:
        raise DeliveryError("timeout")
    for entry in result.logs():
        if found := STATUS.search(entry.message):
            judge(int(found[1]))
    raise DeliveryError("service")


def _plugin(address: str) -> Any:
    return _library().Apprise.instantiate(address, asset=_asset(), suppress_exceptions=True)


def _asset() -> Any:
    return _library().AppriseAsset(http_redirects=False, secure_logging=True, storage_mode="memory")
