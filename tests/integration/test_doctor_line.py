"""`costspan doctor` against a running sidecar says what it says of the same spans in a file."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from costspan.cli.commands import main
from costspan.testing import SECOND, request, span, usage
from integration.lines import eventually, otlp, running
from integration.otlp_client import export
from integration.otlp_sink import OtlpSink

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "doctor.schema.json"
pytestmark = pytest.mark.slow
LITELLM = ("litellm", "")


def test_a_running_sidecar_is_examined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A stream without usage of one service, metrics alone of another; then nothing of late."""
    with OtlpSink() as sink, running(tmp_path, {"otlp": otlp(sink.endpoint)}) as line:
        assert line.ready()
        url = f"http://127.0.0.1:{line.ports.health}"
        assert ask(capsys, "--url", url) == (0, [])

        export(line.ports.grpc, request(stream_without_usage(), service="shop", scope=LITELLM))
        export(line.ports.grpc, metrics_of("batch"), "metrics")
        eventually(lambda: len(ask(capsys, "--url", url)[1]) > 1)
        code, services = ask(capsys, "--url", url)

        assert code == 5
        assert {each["service"]: told(each) for each in services} == {
            "batch": ["only_metrics"],
            "shop": ["no_usage"],
        }
        assert services[1]["findings"][0]["fix"].startswith("stream_options=")
        shop = [each["service"] for each in ask(capsys, "--url", url, "--since", "1m")[1]]
        assert shop == ["batch"]


def stream_without_usage() -> Any:
    """It ended an hour ago."""
    then = time.time_ns() - 3600 * SECOND
    tokens = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
    values = {key: value for key, value in usage().items() if key not in tokens}
    return span(values, start_ns=then, end_ns=then + SECOND)


def metrics_of(service: str) -> bytes:
    message = ExportMetricsServiceRequest()
    resource = message.resource_metrics.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    resource.scope_metrics.add().metrics.add(name="gen_ai.client.token.usage")
    return message.SerializeToString()


def told(service: dict[str, Any]) -> list[str]:
    return [finding["id"] for finding in service["findings"]]


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and the services of the report."""
    capsys.readouterr()
    code = main(["doctor", "--json", *arguments])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(report, json.loads(SCHEMA.read_text()))
    return code, report["services"]
