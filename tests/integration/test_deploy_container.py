"""The `docker run` of deploy/README.md: with its environment costspan is reached from outside."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from costspan.config import load
from costspan.demo.line import Ports, free_ports
from costspan.testing import request, span, usage
from integration.lines import eventually
from integration.otlp_sink import OtlpSink

README = Path(__file__).parents[2] / "deploy" / "README.md"
# Loopback, and yet not 127.0.0.1: only who listens on every address answers here.
OUTSIDE = "127.0.0.2"


def options(name: str) -> list[str]:
    """The values of an option in the documented command."""
    block = README.read_text().split("```sh\ndocker run", 1)[1].split("```", 1)[0]
    words = shlex.split(block.replace("\\\n", " "))
    return [value for option, value in pairwise(words) if option == name]


def environment() -> dict[str, str]:
    return dict(each.split("=", 1) for each in options("-e"))


def test_what_is_published_is_what_listens_on_every_address() -> None:
    """On the host it is published on loopback only."""
    config = load(None, environment(), embedded=lambda: False)
    protocols = config.receivers.otlp.protocols
    assert protocols.grpc
    assert protocols.http
    bound = [protocols.grpc.endpoint, protocols.http.endpoint]
    bound.append(config.service.telemetry.metrics.address)

    assert options("-p") == [f"127.0.0.1:{each.port}:{each.port}" for each in bound]
    assert {each.host for each in bound} == {"0.0.0.0"}


@pytest.mark.slow
def test_the_documented_environment_lets_spans_in(tmp_path: Path) -> None:
    """And they leave priced, for the destination of the same environment."""
    ports = free_ports()
    with OtlpSink() as sink:
        env = _on(ports, environment())
        env["COSTSPAN_EXPORTERS_OTLP_ENDPOINT"] = f"http://{sink.endpoint}"
        with container(env, ports, tmp_path):
            assert ask(f"http://{OUTSIDE}:{ports.http}/v1/traces", request(span(usage()))) == 200
            assert ask(f"http://{OUTSIDE}:{ports.metrics}/metrics") == 200
            received = eventually(lambda: sink.bodies("traces"))

    assert b"window.financial.total_cost" in received[0]


@pytest.mark.slow
def test_without_it_nobody_outside_is_heard(tmp_path: Path) -> None:
    """The default is loopback, which a published port does not reach."""
    ports = free_ports()
    inside = {name: value.replace("0.0.0.0", "127.0.0.1") for name, value in environment().items()}
    with container(_on(ports, inside), ports, tmp_path), pytest.raises(urllib.error.URLError):
        ask(f"http://{OUTSIDE}:{ports.http}/v1/traces", b"")


def _on(ports: Ports, env: Mapping[str, str]) -> dict[str, str]:
    """The same on free ports, for the documented ones may be taken on this machine."""
    free = {"4317": ports.grpc, "4318": ports.http, "9464": ports.metrics}
    moved = {}
    for name, value in env.items():
        host, _, port = value.rpartition(":")
        moved[name] = f"{host}:{free[port]}" if "EXPORTERS" not in name else value
    return {**moved, "COSTSPAN_EXTENSIONS_HEALTH_CHECK_ENDPOINT": f"127.0.0.1:{ports.health}"}


@contextmanager
def container(env: Mapping[str, str], ports: Ports, folder: Path) -> Iterator[None]:
    """`costspan run` as the image starts it: without arguments, in a folder without data."""
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "LANG"))}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "costspan", "run"], env={**kept, **env}, cwd=folder, stderr=log
        )
    try:
        eventually(lambda: _ready(ports))
        yield
    finally:
        process.terminate()
        process.wait(30)


def _ready(ports: Ports) -> bool:
    try:
        return ask(f"http://127.0.0.1:{ports.health}/healthz/ready") == 200
    except urllib.error.URLError:
        return False


def ask(url: str, body: bytes | None = None) -> int:
    """GET, or POST of a protobuf body; the status. Raises URLError."""
    asked = urllib.request.Request(url, body, {"Content-Type": "application/x-protobuf"})  # noqa: S310  http
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310  http
        return int(answer.status)
