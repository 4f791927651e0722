"""The networks an agent may call from: CIDR notation, IPv4 and IPv6; an empty list allows every address."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _


def validate(networks: object) -> None:
    """Raise ValidationError unless it is a list of networks such as "10.0.0.0/8" or "2001:db8::/32"."""
    if not isinstance(networks, list):
        raise ValidationError(_('Use a list of networks, such as ["10.0.0.0/8"].'))
    for network in networks:
        try:
            ip_network(str(network))
        except ValueError as error:
            raise ValidationError(_("%(error)s; use networks such as 10.0.0.0/8.") % {"error": error}) from error


def allow(networks: Sequence[str], address: str) -> bool:
    """Whether the address is in one of the networks; an IPv4 address seen through IPv6 counts as itself."""
    if not networks:
        return True
    try:
        asking = ip_address(address)
    except ValueError:
        return False
    if isinstance(asking, IPv6Address) and asking.ipv4_mapped:
        asking = asking.ipv4_mapped
    return any(asking in ip_network(network) for network in networks)
