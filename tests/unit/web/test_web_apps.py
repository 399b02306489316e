"""Health and metrics over real sockets: what a kubelet and a Prometheus see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_classic
from starlette.types import Message

from costspan.errors import StartError
from costspan.model import Backlog
from costspan.telemetry import Telemetry
from costspan.testing import ManualClock
from costspan.web.debug import SURVEY, TRACE, Page, debug_app
from costspan.web.health import Component, Health, Phase, exporter_component, health_app
from costspan.web.metrics import metrics_app
from costspan.web.server import WebServer, listen


class Site:
    """Both apps on one server, as in production."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.health, self.telemetry = Health(self.clock), Telemetry()
        self.traces = {"0102": b'{"state":"open"}'}
        self.sockets = [listen("127.0.0.1:0", "test") for _ in range(2)]
        pages: dict[str, Page] = {SURVEY: lambda _rest: b'{"calls":[]}', TRACE: self.traces.get}
        health = debug_app(pages, health_app(self.health))
        apps = [health, metrics_app(self.telemetry)]
        self.ports = [sock.getsockname()[1] for sock in self.sockets]
        self.server = WebServer(list(zip(self.sockets, apps, strict=True)))

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        port = self.ports["metrics" in path]
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("content-type", ""), answer.read()
        finally:
            connection.close()

    def verbose(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask("/healthz/ready?verbose")[2])
        return found


@pytest.fixture(scope="module")
def running() -> Iterator[Site]:
    started = Site()
    started.server.start()
    yield started
    started.server.stop(1)


@pytest.fixture
def site(running: Site) -> Site:
    running.health.phase = Phase.SERVING
    return running


@pytest.mark.parametrize(
    ("phase", "startup", "live", "ready", "collector"),
    [
        (Phase.STARTING, 503, 200, 503, 503),
        (Phase.SERVING, 200, 200, 200, 200),
        (Phase.DRAINING, 200, 200, 503, 503),
    ],
)
def test_each_phase_answers_each_probe(
    site: Site, phase: Phase, startup: int, live: int, ready: int, collector: int
) -> None:
    site.health.phase = phase
    paths = ("/healthz/startup", "/healthz/live", "/healthz/ready", "/")

    assert [site.ask(path)[0] for path in paths] == [startup, live, ready, collector]


def test_a_dead_destination_shows_in_verbose_and_leaves_the_pod_ready(site: Site) -> None:
    site.health.watch("exporter/otlp", lambda: Component(ok=False, message="connection refused"))

    assert site.ask("/healthz/ready")[0] == 200
    assert site.verbose()["components"]["exporter/otlp"] == {
        "ok": False,
        "message": "connection refused",
    }


def test_a_part_that_can_not_answer_does_not_fail_the_probe(site: Site) -> None:
    site.health.watch("store", lambda: Component(ok=1 / 0 == 1))

    assert site.ask("/healthz/ready?verbose")[0] == 200
    assert site.verbose()["components"]["store"]["message"].startswith("ZeroDivisionError")


def test_a_destination_says_how_far_it_is_behind() -> None:
    part = exporter_component(Backlog(2, 10, 512, 4_000_000_000, 3), "down", 9_500_000_000)

    assert part == Component(
        ok=False,
        message="down",
        facts={"queued_items": 10, "queued_bytes": 512, "lag_seconds": 5.5, "dropped_items": 3},
    )
    assert exporter_component(Backlog(0, 0, 0, 0, 0), "", 1).facts["lag_seconds"] == 0.0


def test_the_root_answers_like_the_collectors_health_check(site: Site) -> None:
    site.clock.advance(2.5)
    body = json.loads(site.ask("/")[2])

    assert body["status"] == "Server available"
    assert body["uptime"].endswith("s")
    assert body["upSince"].startswith("2026-")


def test_the_survey_is_answered_beside_the_probes(site: Site) -> None:
    assert site.ask("/debug/survey") == (200, "application/json", b'{"calls":[]}')


def test_a_trace_that_is_held_is_answered_and_another_is_not_found(site: Site) -> None:
    assert site.ask("/debug/trace/0102") == (200, "application/json", b'{"state":"open"}')
    assert site.ask("/debug/trace/0304")[0] == 404


@pytest.mark.parametrize(
    ("client", "server", "status"),
    [
        ("127.0.0.1", "127.0.0.1", 200),
        ("::1", "::1", 200),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", 200),
        ("10.1.2.3", "10.1.2.3", 200),
        ("10.9.9.9", "10.1.2.3", 403),
        ("", "10.1.2.3", 403),
    ],
)
def test_the_survey_is_for_the_same_host_or_pod(client: str, server: str, status: int) -> None:
    """In a pod the port is open to the cluster, for the kubelet and for Prometheus."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request"}

    scope = {
        "type": "http",
        "path": "/debug/survey",
        "method": "GET",
        "client": (client, 40000),
        "server": (server, 13133),
    }
    app = debug_app({SURVEY: lambda _rest: b"{}"}, health_app(Health(ManualClock())))

    async def ask() -> None:
        await app(scope, receive, send)

    asyncio.run(ask())

    assert sent[0]["status"] == status


@pytest.mark.parametrize("path", ["/healthz/ready", "/metrics", "/debug/survey"])
def test_only_reading_is_allowed(site: Site, path: str) -> None:
    assert site.ask(path, "POST")[0] == 405
    assert site.ask(path, "HEAD")[::2] == (200, b"")


def test_unknown_paths_are_404(site: Site) -> None:
    assert site.ask("/healthz")[0] == 404
    assert site.ask("/metricsx")[0] == 404


def test_the_classic_format_parses_and_holds_our_metrics_and_the_process(site: Site) -> None:
    site.telemetry.requests.add(3, "grpc", "traces", "success")
    status, media_type, body = site.ask("/metrics")
    families = {family.name: family for family in parse_classic(body.decode())}

    assert (status, media_type.split(";")[0]) == (200, "text/plain")
    assert "process_resident_memory_bytes" in families
    samples = families["costspan_receiver_requests"].samples
    assert [s.value for s in samples if s.labels["outcome"] == "success"] == [3.0]


def test_openmetrics_comes_when_it_is_asked_for(site: Site) -> None:
    accept = "application/openmetrics-text; version=1.0.0, text/plain;q=0.5"
    _, media_type, body = site.ask("/metrics", Accept=accept)

    assert media_type.startswith("application/openmetrics-text; version=1.0.0")
    families = parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]  # has no types
    assert "costspan_cost_usd" in {family.name for family in families}


def test_a_fault_while_rendering_is_a_500_with_a_sentence(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [ZeroDivisionError()]

    def source() -> dict[Any, Any]:
        if faults:
            raise faults.pop()
        return {}

    site.telemetry.watch(source)

    assert site.ask("/metrics")[0] == 500
    assert "could not be rendered" in caplog.text
    assert site.ask("/metrics")[0] == 200


def test_a_busy_port_is_a_sentence(site: Site) -> None:
    with pytest.raises(StartError, match=r"health can't listen on .*: Address already in use"):
        listen(f"127.0.0.1:{site.ports[0]}", "health")


@pytest.mark.parametrize("endpoint", ["13133", "127.0.0.1:http", ""])
def test_an_endpoint_must_be_host_and_port(endpoint: str) -> None:
    with pytest.raises(StartError, match="expected host:port"):
        listen(endpoint, "health")


def test_a_server_that_never_started_gives_its_ports_back() -> None:
    unused = Site()
    unused.server.stop()

    assert all(sock.fileno() == -1 for sock in unused.sockets)
