"""`costspan run --on-config-error=passthrough`: a bad configuration costs the prices, no span."""

from __future__ import annotations

from pathlib import Path

import pytest

from costspan.cli import health
from costspan.cli.exits import Exit
from costspan.demo.line import Line, configuration, free_ports
from costspan.testing import request, span, usage
from integration.lines import eventually, otlp
from integration.otlp_client import export
from integration.otlp_sink import OtlpSink


@pytest.mark.slow
def test_a_bad_configuration_forwards_untouched_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ready for the kubelet, every fault in the log, and the span leaves as it came."""
    ports = free_ports()
    faulty = {"cost": {"enabled": "perhaps"}, "costs": {}}
    body = request(span(usage()))
    with OtlpSink() as sink:
        config = configuration(ports, {"otlp": otlp(sink.endpoint)}, processors=faulty)
        log = tmp_path / "log"
        with Line(config, ports, log, ["--on-config-error=passthrough"]):
            export(ports.grpc, body)
            received = eventually(lambda: sink.bodies("traces"))
            code = health.main(["--endpoint", f"http://127.0.0.1:{ports.health}/healthz/ready"])

    assert received == [body]
    assert code == Exit.OK
    assert "exporter/otlp" in capsys.readouterr().out
    text = log.read_text()
    assert "expected true or false, saw 'perhaps'" in text
    assert "unknown key; the nearest is 'cost'" in text
    assert "running in passthrough" in text
