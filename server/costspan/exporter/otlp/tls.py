"""TLS towards a destination, for both transports: what is trusted, who we are. No connection here.

Certificates are rotated under a running process, so files are read again when they have changed;
who connects asks.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import NamedTuple

import grpc

from costspan.errors import ConfigError

Stamp = tuple[tuple[int, int, int], ...]  # of each file: inode, change in ns, size


class Tls(NamedTuple):
    """The options, as the configuration has them. Without files the system's CAs are trusted."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    skip_verify: bool = False  # trust any certificate
    server_name: str = ""  # expected in the certificate, in place of the host's name

    def stamp(self) -> Stamp:
        """Changes when a file does. Raises OSError if one is not there."""
        found = [
            Path(file).stat() for file in (self.ca_file, self.cert_file, self.key_file) if file
        ]
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)

    def context(self) -> ssl.SSLContext:
        """For HTTP. Raises OSError (SSLError is one) if a file can't be used."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        if self.skip_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def credentials(self, trusted: bytes | None = None) -> grpc.ChannelCredentials:
        """For gRPC. Raises OSError if a file can't be read. `trusted`: PEM in place of the CAs."""
        return grpc.ssl_channel_credentials(
            root_certificates=trusted or _bytes(self.ca_file),
            private_key=_bytes(self.key_file),
            certificate_chain=_bytes(self.cert_file),
        )

    def check(self, name: str) -> None:
        """Find at the start what can't be used. Raises ConfigError."""
        keys = {"ca_file": self.ca_file, "cert_file": self.cert_file, "key_file": self.key_file}
        for key, file in keys.items():
            try:
                _bytes(file)
            except OSError as fault:
                sentence = f"exporters.{name}.tls.{key}: {file} can't be read: {fault.strerror}"
                raise ConfigError([sentence]) from fault
        try:
            self.context()
        except OSError as fault:
            sentence = f"exporters.{name}.tls: the certificates can't be used: {fault}"
            raise ConfigError([sentence]) from fault


SYSTEM_TRUST = Tls()


def _bytes(file: str | None) -> bytes | None:
    return Path(file).read_bytes() if file else None
