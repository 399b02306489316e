"""Certificates made by the openssl command: an authority, and pairs that it vouches for."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest


class Pair(NamedTuple):
    """Files of a certificate and its key (PEM)."""

    certificate: str
    key: str

    def read(self) -> tuple[bytes, bytes]:
        return Path(self.certificate).read_bytes(), Path(self.key).read_bytes()


class Authority:
    """Signs certificates; its files lie in `directory`. Skips the test without openssl."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl command")
        self._directory, self._name = directory, name
        self._pair = self._files(name)
        self._openssl(
            *("req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-keyout", self._pair.key, "-out", self._pair.certificate),
        )

    @property
    def file(self) -> str:
        return self._pair.certificate

    def sign(self, file: str, name: str) -> Pair:
        """A certificate for `name` in files called `file`; an old one is replaced."""
        pair = self._files(file)
        request = str(self._directory / f"{file}.csr")
        extensions = self._directory / f"{file}.ext"
        kind = "IP" if name[0].isdigit() else "DNS"
        extensions.write_text(f"subjectAltName={kind}:{name}")
        self._openssl(
            *("req", "-nodes", "-subj", f"/CN={name}", "-out", request, "-keyout", pair.key),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        )
        self._openssl(
            *("x509", "-req", "-days", "2", "-in", request, "-out", pair.certificate),
            *("-CA", self._pair.certificate, "-CAkey", self._pair.key, "-CAcreateserial"),
            *("-extfile", str(extensions)),
        )
        return pair

    def _files(self, name: str) -> Pair:
        return Pair(str(self._directory / f"{name}.pem"), str(self._directory / f"{name}.key"))

    @staticmethod
    def _openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)  # noqa: S603, S607 (the command under this name)
