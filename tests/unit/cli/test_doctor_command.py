"""`costspan doctor FILE...`: the report by its schema, and the exit code that CI waits for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from costspan.cli.commands import main
from costspan.testing import request, span, usage

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "doctor.schema.json"
_IDS = ("traceId", "spanId", "parentSpanId")
METRICS = {
    "resourceMetrics": [
        {"scopeMetrics": [{"metrics": [{"name": "gen_ai.client.token.usage", "unit": "{token}"}]}]}
    ]
}


def otlp_json(**attributes: Any) -> dict[str, Any]:
    """A request with one call, as the Collector's file exporter writes it."""
    body = request(span({**usage(), "gen_ai.agent.name": "planner", **attributes}))
    document = MessageToDict(ExportTraceServiceRequest.FromString(body))
    one = document["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    one.update({"traceId": "01" * 16, "spanId": "02" * 8})
    assert set(one) & set(_IDS)
    return document


def doctor(tmp_path: Path, *documents: dict[str, Any]) -> int:
    """Write JSON lines and examine them."""
    file = tmp_path / "spans.jsonl"
    file.write_text("\n".join(map(json.dumps, documents)))
    return main(["doctor", "--json", str(file)])


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    return document


def test_telemetry_that_lacks_nothing_ends_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(tmp_path, otlp_json()) == 0
    report = told(capsys)

    assert report["schema"] == "costspan.doctor/v1"
    assert report["accuracy_findings"] == 0
    assert report["services"][0]["findings"] == []


def test_what_costs_accuracy_ends_with_5(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = {"gen_ai.request.model": "my-own", "gen_ai.response.model": "my-own"}

    assert doctor(tmp_path, otlp_json(**unknown)) == 5
    (finding,) = told(capsys)["services"][0]["findings"]
    assert (finding["id"], finding["severity"]) == ("unpriced", "accuracy")
    assert finding["subjects"] == ["unknown_model my-own"]
    assert finding["examples"] == [
        {"trace_id": "01" * 16, "span_id": "02" * 8, "name": "chat gpt-4o"}
    ]


def test_metrics_in_the_same_file_are_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(tmp_path, METRICS, otlp_json()) == 5
    (service, _) = told(capsys)["services"]
    assert [each["id"] for each in service["findings"]] == ["only_metrics"]


def test_a_person_reads_the_sentence_and_the_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "spans.json"
    file.write_text(json.dumps(otlp_json(**{"gen_ai.response.model": ""})))

    assert main(["doctor", str(file)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "1 of 1 billed calls do not say which model answered" in shown
    assert "fix set gen_ai.response.model" in shown
    assert "Findings: 0 accuracy, 0 possible, 1 detail." in shown


def test_a_sidecar_that_is_not_there_ends_with_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--url", "http://127.0.0.1:1"]) == 4
    assert "http://127.0.0.1:1 does not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["spans.json", "--since", "10m"], "not both"),
        (["--since", "soon"], "expected a duration as 90s, 10m or 2h, saw 'soon'"),
        (["--url", "https://x"], "expected an http:// URL, saw 'https://x'"),
    ],
)
def test_faults_in_the_question_end_with_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor", *arguments]) == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert sentence in said


def test_a_file_that_is_no_otlp_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"spans": []}')

    assert main(["doctor", str(file)]) == 1
    assert "line 1: expected resourceSpans, saw ['spans']" in capsys.readouterr().err
