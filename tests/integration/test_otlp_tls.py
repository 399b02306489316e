"""TLS towards OTLP destinations, alike over both transports: who is trusted, who we are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import peers
from certificates import Authority
from costspan.errors import ConfigError, Unreachable
from costspan.exporter.destination import Delivered
from costspan.exporter.otlp import OtlpGrpc, OtlpHttp, Tls
from costspan.testing import frame

FRAME = frame(b"\x0a\x00")
_ATTEMPTS = 50  # gRPC waits between connections


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(directory: Path) -> Authority:
    return Authority(directory)


@pytest.fixture(scope="module")
def stranger(directory: Path) -> Authority:
    return Authority(directory, "stranger")


@pytest.fixture(params=["grpc", "http"])
def kinds(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    table: dict[str, tuple[Any, Any]] = {
        "grpc": (OtlpGrpc, peers.GrpcPeer),
        "http": (OtlpHttp, peers.HttpPeer),
    }
    return table[request.param]


@contextmanager
def line(kinds: tuple[Any, Any], server: peers.ServerTls, tls: Tls) -> Iterator[Any]:
    """A destination with these options, in front of a peer with this certificate."""
    make_destination, make_peer = kinds
    with make_peer(tls=server) as peer:
        destination = make_destination("lab", peer.endpoint, tls=tls, timeout=5.0)
        try:
            yield destination
        finally:
            destination.close()


def test_a_certificate_of_the_named_authority_is_trusted_and_of_another_not(
    kinds: tuple[Any, Any], authority: Authority, stranger: Authority
) -> None:
    server = peers.ServerTls(authority.sign("here", "127.0.0.1"))

    with line(kinds, server, Tls(authority.file)) as destination:
        assert destination.deliver([FRAME]) == Delivered(1)
    with line(kinds, server, Tls(stranger.file)) as destination, pytest.raises(Unreachable):
        destination.deliver([FRAME])


def test_another_name_in_the_certificate_is_accepted_if_it_is_expected(
    kinds: tuple[Any, Any], authority: Authority
) -> None:
    server = peers.ServerTls(authority.sign("named", "collector.example"))
    named = Tls(authority.file, server_name="collector.example")

    with line(kinds, server, named) as destination:
        assert destination.deliver([FRAME]) == Delivered(1)
    with line(kinds, server, Tls(authority.file)) as destination, pytest.raises(Unreachable):
        destination.deliver([FRAME])


@pytest.mark.parametrize("name", ["collector.example", "*.example.org", "10.1.2.3"])
def test_any_certificate_is_accepted_if_that_is_asked_for(
    kinds: tuple[Any, Any], stranger: Authority, name: str
) -> None:
    server = peers.ServerTls(stranger.sign("any", name))

    with line(kinds, server, Tls(skip_verify=True)) as destination:
        assert destination.deliver([FRAME]) == Delivered(1)


def test_a_peer_that_asks_for_a_client_certificate_gets_it(
    kinds: tuple[Any, Any], authority: Authority
) -> None:
    server = peers.ServerTls(authority.sign("mutual", "127.0.0.1"), clients=authority.file)
    ours = authority.sign("client", "costspan")

    with line(kinds, server, Tls(authority.file, *ours)) as destination:
        assert destination.deliver([FRAME]) == Delivered(1)
    with line(kinds, server, Tls(authority.file)) as destination, pytest.raises(Unreachable):
        destination.deliver([FRAME])


def test_certificates_that_were_renewed_are_used_without_a_restart(
    kinds: tuple[Any, Any], authority: Authority, stranger: Authority
) -> None:
    """The client's certificate is one that the peer does not know, until its file is replaced."""
    server = peers.ServerTls(authority.sign("renewing", "127.0.0.1"), clients=authority.file)
    ours = stranger.sign("renewed", "costspan")

    with line(kinds, server, Tls(authority.file, *ours)) as destination:
        with pytest.raises(Unreachable):
            destination.deliver([FRAME])
        authority.sign("renewed", "costspan")
        assert _until_reachable(destination) == Delivered(1)


def _until_reachable(destination: Any) -> Delivered:
    for _ in range(_ATTEMPTS):
        try:
            found: Delivered = destination.deliver([FRAME])
        except Unreachable:
            continue
        return found
    pytest.fail("the destination never came back")


def test_a_certificate_without_its_key_is_named_at_the_start(
    kinds: tuple[Any, Any], authority: Authority
) -> None:
    ours = authority.sign("alone", "costspan")

    with pytest.raises(ConfigError, match=r"exporters\.lab\.tls: the certificates can't be used"):
        kinds[0]("lab", "https://collector:4317", tls=Tls(None, ours.certificate, authority.file))


def test_a_dead_peer_is_unreachable_even_if_any_certificate_would_do(
    kinds: tuple[Any, Any],
) -> None:
    destination = kinds[0]("lab", "https://127.0.0.1:1", tls=Tls(skip_verify=True), timeout=0.5)

    with pytest.raises(Unreachable):
        destination.deliver([FRAME])
    destination.close()
