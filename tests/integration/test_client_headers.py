"""Headers that a client sends travel on if they are named, and no others. The real process."""

from __future__ import annotations

import http.client
from pathlib import Path

from costspan.demo.line import Line, configuration, free_ports
from costspan.testing import request, span
from integration.lines import otlp
from integration.otlp_client import export
from integration.otlp_sink import OtlpSink


def test_named_headers_of_both_transports_reach_the_destination(tmp_path: Path) -> None:
    """A configured header wins; what two tenants sent leaves apart; no value is in the log."""
    ports = free_ports()
    headers = {"x-tenant": "blue-secret", "x-api-key": "forged", "x-other": "stays"}
    with OtlpSink() as sink:
        exporter = {**otlp(sink.endpoint), "headers": {"x-api-key": "ours-secret"}}
        config = configuration(ports, {"otlp": exporter}, drain="5s")
        for protocol in config["receivers"]["otlp"]["protocols"].values():
            protocol["include_metadata"] = ["X-Tenant", "x-api-key"]
        with Line(config, ports, tmp_path / "costspan.log"):
            export(ports.grpc, request(span(name="grpc")), metadata=list(headers.items()))
            _post(ports.http, request(span(name="http")), {"X-Tenant": "red-secret"})
            sink.wait(lambda: len(sink.received) == 2)
        seen = [received.metadata for received in sink.received]

    assert sorted(str(each["x-tenant"]) for each in seen) == ["blue-secret", "red-secret"]
    assert [each["x-api-key"] for each in seen] == ["ours-secret"] * 2
    assert all("x-other" not in each for each in seen)
    assert "-secret" not in (tmp_path / "costspan.log").read_text()


def _post(port: int, body: bytes, headers: dict[str, str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    content = {"Content-Type": "application/x-protobuf"}
    connection.request("POST", "/v1/traces", body, {**content, **headers})
    assert connection.getresponse().status == 200
    connection.close()
