"""What certificate a gRPC peer shows: the way to `insecure_skip_verify` for C-core, which has none.

C-core always verifies. So the certificate is fetched by a handshake that does not, and then it
is the only one that is trusted, under a name that it carries. One that has expired stays refused.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any, NamedTuple

from costspan.exporter.otlp.tls import Tls


class Peer(NamedTuple):
    """A certificate as PEM, and a name that it is for; None and "" if nobody was looked at."""

    certificate: bytes | None = None
    name: str = ""


def look_at(target: str, tls: Tls, timeout: float) -> Peer:
    """Fetch what host:port shows. Raises OSError if it can't be reached or speaks no TLS."""
    host, _, port = target.removeprefix("dns:///").rpartition(":")
    address = (host.strip("[]"), int(port))
    pem = ssl.DER_cert_to_PEM_cert(_handshake(address, tls.context(), timeout)[0])
    # only a handshake that verifies has the names read: with the certificate as its own authority
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=pem)
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return Peer(pem.encode(), _name(_handshake(address, context, timeout)[1]))


def _handshake(
    address: tuple[str, int], context: ssl.SSLContext, timeout: float
) -> tuple[bytes, dict[str, Any]]:
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(address, timeout) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as connection,
    ):
        return connection.getpeercert(binary_form=True) or b"", connection.getpeercert() or {}


def _name(certificate: dict[str, Any]) -> str:
    """A host name that the certificate is good for."""
    alternatives = certificate.get("subjectAltName", ())
    names = [value for kind, value in alternatives if kind in ("DNS", "IP Address")]
    names += [v for part in certificate.get("subject", ()) for k, v in part if k == "commonName"]
    return names[0].replace("*", "any", 1) if names else ""
