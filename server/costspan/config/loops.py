"""Does a destination lead back to one of our own listeners? The only name lookups of the room."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address

from costspan.config.forms import Address


def leads_home(destination: Address, listeners: Iterable[Address]) -> Address | None:
    """The listener that would get what we send. Looks a name up only if a port is the same."""
    same_port = [each for each in listeners if each.port == destination.port and each.port]
    if not same_port:
        return None
    reached = _addresses(destination.host)
    for listener in same_port:
        bound = _addresses(listener.host)
        if reached & bound:
            return listener
        if any(ip_address(each).is_unspecified for each in bound) and any(map(_is_ours, reached)):
            return listener
    return None


def _addresses(host: str) -> frozenset[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset()  # it resolves to nothing now, so not to us
    addresses = {str(each[4][0]).partition("%")[0] for each in found}
    # connecting to the unspecified address reaches the machine itself
    if "0.0.0.0" in addresses:  # noqa: S104  (compared, not bound)
        addresses.add("127.0.0.1")
    if "::" in addresses:
        addresses.add("::1")
    return frozenset(addresses)


def _is_ours(address: str) -> bool:
    """Only an address of this machine can be bound; nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True
