"""`costspan deadletter`: what the line refused is shown, and arrives when it is sent again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import peers
from costspan.cli.commands import main
from costspan.demo.line import Line, configuration, free_ports
from costspan.exporter.dead_letters import DeadLetters
from costspan.exporter.letter import Letter
from costspan.model import LOGS
from costspan.telemetry import Telemetry
from costspan.testing import START, frame, request, span
from integration.lines import eventually
from integration.otlp_client import export
from integration.prometheus import value

SECOND = 1_000_000_000


class Place:
    """A configuration whose otlphttp exporter is a scripted peer, and its dead letters."""

    def __init__(self, directory: Path, peer: peers.HttpPeer) -> None:
        self.peer = peer
        self.config = directory / "costspan.yaml"
        self.config.write_text(
            f"journal: {{directory: {directory}/journal}}\n"
            "exporters:\n"
            f"  otlphttp/lab: {{endpoint: '{peer.endpoint}', headers: {{api-key: hunter2}}}}\n"
        )
        root = directory / "journal" / "dead-letters"
        self.letters = DeadLetters(root, "otlphttp/lab", 1 << 20, Telemetry())

    def keep(self, name: str, reason: str, at: int = 0) -> bytes:
        body = request(span(name=name))
        self.letters.keep(Letter(START + at * SECOND, reason, f"no {name}", [frame(body)]))
        return body

    def run(self, command: str, *more: str) -> int:
        return main(["deadletter", command, "--config", str(self.config), *more])


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with peers.HttpPeer() as peer:
        yield Place(tmp_path, peer)


def test_the_list_adds_up_by_reason(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = [len(place.keep(name, "invalid_argument", at)) for at, name in enumerate("ab")]
    place.letters.keep(Letter(START, "not_found", "no logs", [frame(b"12", signal=LOGS, items=5)]))

    assert place.run("list", "--json") == 0
    groups = json.loads(capsys.readouterr().out)["groups"]
    assert groups == [
        {
            "exporter": "otlphttp/lab", "signal": "logs", "reason": "not_found", "letters": 1,
            "items": 5, "bytes": 2, "first": "2026-09-21T14:13:20Z",
            "last": "2026-09-21T14:13:20Z", "message": "no logs",
        },
        {
            "exporter": "otlphttp/lab", "signal": "traces", "reason": "invalid_argument",
            "letters": 2, "items": 2, "bytes": sum(sizes), "first": "2026-09-21T14:13:20Z",
            "last": "2026-09-21T14:13:21Z", "message": "no b",
        },
    ]  # fmt: skip
    assert place.run("list") == 0
    assert "otlphttp/lab: 5 logs (2 bytes), not_found, " in capsys.readouterr().out


def test_a_replay_sends_what_is_asked_for_with_the_exporters_headers(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted, other = place.keep("a", "not_found"), place.keep("b", "too_large")

    assert place.run("replay", "--reason", "not_found") == 0
    assert [r.body for r in place.peer.received] == [wanted]
    assert place.peer.received[0].headers["api-key"] == "hunter2"
    seen = capsys.readouterr()
    assert "otlphttp/lab: 1 accepted, 0 rejected, 0 refused again, 0 without" in seen.out
    assert "hunter2" not in seen.out + seen.err
    assert place.run("replay", "--json") == 0
    assert [r.body for r in place.peer.received] == [wanted, other]
    assert json.loads(capsys.readouterr().out)["exporters"]["otlphttp/lab"]["accepted"] == 1


def test_the_exit_code_tells_refused_again_from_unreachable_from_a_bad_configuration(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.keep("poison", "not_found")
    place.peer.poison = b"poison"

    assert place.run("replay") == 1
    place.peer.poison, place.peer.script = b"", [peers.UNAVAILABLE] * 1000
    assert place.run("replay", "--timeout", "0.1") == 4
    assert "1 without an answer (HTTP 503: restarting)" in capsys.readouterr().out
    place.config.write_text("exporters: {otlp: {endpont: x}}")
    assert place.run("replay") == 3
    place.config.write_text("exporters: {otlp: {endpoint: 'x:4317'}}")
    assert place.run("list") == 3
    assert "expected journal.directory or" in capsys.readouterr().err


def test_letters_of_an_exporter_that_is_gone_are_left_alone(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.keep("a", "not_found")
    place.config.write_text(place.config.read_text().replace("otlphttp/lab", "otlphttp/new"))

    assert place.run("replay") == 1
    assert "otlphttp/lab: left alone: not among the exporters" in capsys.readouterr().err
    assert place.run("list") == 0
    assert "1 traces" in capsys.readouterr().out


@pytest.mark.slow
def test_a_replay_that_is_killed_loses_nothing(place: Place) -> None:
    first, second = place.keep("a", "not_found"), place.keep("b", "not_found")
    place.peer.script = [peers.HANG]
    command = [sys.executable, "-m", "costspan", "deadletter", "replay"]
    process = subprocess.Popen(  # noqa: S603  (our own command)
        [*command, "--config", str(place.config)], env=dict(os.environ)
    )
    while not place.peer.received:
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    place.peer.received.clear()

    assert place.run("replay") == 0
    assert b"".join(r.body for r in place.peer.received) == first + second


@pytest.mark.slow
def test_a_replay_beside_a_running_costspan_delivers_what_it_had_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real process keeps the poisoned span of a request, and goes on keeping others."""
    ports = free_ports()
    with peers.HttpPeer() as peer:
        peer.poison = b"poison"
        exporters = {"otlphttp/lab": {"endpoint": peer.endpoint}}
        journal = {"directory": str(tmp_path / "journal")}
        config = configuration(ports, exporters, journal=journal, drain="5s")
        file = tmp_path / "costspan.yaml"
        file.write_text(json.dumps(config))
        with Line(config, ports, tmp_path / "costspan.log"):
            names = ["good", "poison 1", "fine"]
            export(ports.grpc, request(*(span(name=name) for name in names)))
            eventually(lambda: _dead_lettered(ports.metrics) == 1)
            peer.received.clear()
            peer.poison = b"poison 2"
            export(ports.grpc, request(span(name="poison 2")))
            # 1: it may find the second one too, which is refused again
            assert main(["deadletter", "replay", "--config", str(file)]) in (0, 1)
            eventually(lambda: _dead_lettered(ports.metrics) == 2)
            capsys.readouterr()
            assert main(["deadletter", "list", "--json", "--config", str(file)]) == 0
            [left] = json.loads(capsys.readouterr().out)["groups"]

    assert (left["items"], left["reason"], left["message"]) == (
        *(1, "invalid_argument"),
        "HTTP 400: bad span",
    )
    accepted = [r.body for r in peer.received if b"poison 2" not in r.body]
    assert [body for body in accepted if b"good" in body or b"fine" in body] == []
    assert b"poison 1" in b"".join(accepted)


def _dead_lettered(port: int) -> float:
    return value(port, "costspan_exporter_dead_lettered_items_total", exporter="otlphttp/lab")
