"""`costspan price`: OTLP/JSON in, the priced document out, faults with their place."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer

from costspan.cli.price import price_command

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "price.schema.json"
TRACE = "0102030405060708090a0b0c0d0e0f10"
Values = Mapping[str, str | int]
CHAT: Values = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
AGENT: Values = {
    "gen_ai.operation.name": "invoke_agent",
    "gen_ai.agent.name": "planner",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}


def attribute(key: str, value: str | int) -> dict[str, Any]:
    typed = {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}
    return {"key": key, "value": typed}


def span(number: int, values: Values | None = None, parent: int = 0) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "parentSpanId": f"{parent:016x}" if parent else "",
        "name": f"span {number}",
        "kind": 3,
        "startTimeUnixNano": "1790000000000000000",
        "endTimeUnixNano": 1790000001000000000,
        "attributes": [attribute(key, value) for key, value in (values or {}).items()],
        "aFieldOfTomorrow": {"x": 1},
    }


def request(*spans: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [attribute("service.name", "app")]},
                "scopeSpans": [{"scope": {"name": "test"}, "spans": list(spans)}],
            }
        ]
    }


@pytest.fixture
def price(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run `price --json` on texts; returns the document after its check against the schema."""

    def run(*texts: str) -> dict[str, Any]:
        files = []
        for number, text in enumerate(texts):
            file = tmp_path / f"{number}.json"
            file.write_text(text)
            files.append(str(file))
        price_command(files, as_json=True)
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        jsonschema.validate(document, json.loads(SCHEMA.read_text()))
        return document

    return run


def test_a_call_is_priced_to_the_last_digit(price: Any) -> None:
    document = price(json.dumps(request(span(1, AGENT), span(2, CHAT, 1))))
    agent, call = document["spans"]
    assert (agent["billed"], agent["billed_reason"]) == (False, "not_inference")
    assert (call["cost_usd"], call["would_cost_usd"]) == ("0.0035", None)
    assert (call["parent_span_id"], call["agent"]) == (agent["span_id"], "planner")
    assert call["usage"] == {"input": 1000, "output": 100}
    (trace,) = document["traces"]
    assert (trace["trace_id"], trace["cost_usd"], trace["llm_calls"]) == (TRACE, "0.0035", 1)
    assert trace["by_agent"]["planner"]["cost_usd"] == "0.0035"
    assert list(trace["by_model"]) == ["gpt-4o"]


def test_several_files_are_one_set_of_complete_traces(price: Any) -> None:
    document = price(json.dumps(request(span(1, AGENT))), json.dumps(request(span(2, CHAT, 1))))
    assert [found["billed"] for found in document["spans"]] == [False, True]
    assert len(document["traces"]) == 1


def test_arrays_lines_and_pretty_prints_are_read_alike(price: Any) -> None:
    one, two = request(span(1, CHAT)), request(span(2, CHAT))
    expected = price(json.dumps([one, two]))
    assert price(f"{json.dumps(one)}\n\n{json.dumps(two)}\n") == expected
    assert price(json.dumps(one, indent=2) + json.dumps(two, indent=2)) == expected
    assert expected["traces"][0]["cost_usd"] == "0.007"


def test_a_span_sent_again_is_listed_and_not_billed(price: Any) -> None:
    """Every copy is in the list, in input order; the first of equal ones counts."""
    text = json.dumps(request(span(7, CHAT), span(1, CHAT)))
    document = price(text, text)
    assert [found["span_id"][-1] for found in document["spans"]] == ["7", "1", "7", "1"]
    assert [found["billed"] for found in document["spans"]] == [True, True, False, False]
    double = document["spans"][2]
    assert (double["status"], double["billed_reason"]) == ("duplicate", "duplicate")
    assert (double["cost_usd"], double["would_cost_usd"]) == (None, "0.0035")
    assert document["traces"][0]["cost_usd"] == "0.007"


def test_unknown_is_null_and_has_a_reason(price: Any) -> None:
    unknown = {**CHAT, "gen_ai.request.model": "nobody-7", "gen_ai.response.model": "nobody-7"}
    document = price(json.dumps(request(span(1, unknown))))
    (found,) = document["spans"]
    assert (found["billed"], found["cost_usd"]) == (True, None)
    assert (found["status"], found["unpriced_reason"]) == ("unpriced", "unknown_model")
    assert document["traces"][0]["unpriced_calls"] == 1


def test_nothing_to_price_is_an_empty_document(price: Any) -> None:
    assert price("") == price("[]") == price(json.dumps(request(span(1))))
    assert price("{}")["spans"] == []


def test_stdin_is_a_file_named_dash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = json.dumps(request(span(1, CHAT))).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    price_command(["-"], as_json=True)
    assert json.loads(capsys.readouterr().out)["traces"][0]["cost_usd"] == "0.0035"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"resourceSpans": [', "line 1, column 20: expected JSON, saw ''"),
        ("{}\n[1]", "line 2, element 0: expected an ExportTraceServiceRequest, saw 1"),
        ('{"resourceLogs": []}', "line 1: expected resourceSpans, saw ['resourceLogs']"),
        ('{"resourceSpans": {}}', "line 1: resourceSpans: expected an array, saw {}"),
        (
            json.dumps(request({**span(1), "spanId": "AQIDBAUGBwg="})),
            "spans[0].spanId: expected 16 hex digits, saw 'AQIDBAUGBwg='",
        ),
        (
            json.dumps(request({**span(1), "startTimeUnixNano": "soon"})),
            "line 1: expected OTLP/JSON, saw a fault:",
        ),
        ("[" * 100_000, "too deep nesting"),
        ("\udcff", "expected UTF-8"),
    ],
)
def test_a_fault_names_the_file_the_place_and_what_was_expected(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(typer.Exit) as ended:
        price_command([str(file)])
    assert ended.value.exit_code == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"costspan: {file}: ")
    assert said in printed.err


def test_a_file_that_is_not_there_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        price_command(["/no/such/file"])
    assert capsys.readouterr().err == "costspan: /no/such/file: No such file or directory\n"


CARD = """
apiVersion: ratecard/v1
id: acme
revision: 3
owner: finance@acme.example
currency: USD
effective: {from: 2026-01-01T00:00:00Z, to: 2027-01-01T00:00:00Z}
discounts:
  - {match: {provider: openai}, multiplier: "0.8", applies_to: tokens}
showback:
  - {match: {provider: openai}, multiplier: "1.5"}
"""


def test_a_rate_card_moves_the_cost_and_not_the_list_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """0.0035 at list, a fifth off: 0.0028."""
    spans, card = tmp_path / "spans.json", tmp_path / "rates.yaml"
    spans.write_text(json.dumps(request(span(1, CHAT))))
    card.write_text(CARD)
    price_command([str(spans)], as_json=True, rates=[str(card)])
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    (found,) = document["spans"]
    assert (found["cost_usd"], found["list_cost_usd"]) == ("0.0028", "0.0035")
    assert (found["effective_cost_usd"], found["showback_cost_usd"]) == ("0.0028", "0.0042")
    assert found["price_ref"].split(";")[3].startswith("acme@3+")


def test_a_faulty_rate_card_is_exit_3_and_says_every_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "rates.yaml"
    card.write_text(CARD.replace("0.8", "cheap").replace("openai", "nobody-at-all"))
    with pytest.raises(typer.Exit) as ended:
        price_command(["/no/such/file"], rates=[str(card)])
    printed = capsys.readouterr()
    assert (ended.value.exit_code, printed.out) == (3, "")
    assert f"{card}:9:" in printed.err


def test_people_get_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "spans.json"
    file.write_text(json.dumps(request(span(1, AGENT), span(2, CHAT, 1))))
    price_command([str(file)])
    printed = capsys.readouterr().out
    assert "0.0035" in printed
    assert TRACE in printed


def test_a_call_has_the_dimensions_of_the_spans_above_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A span that calls no model says who pays; the call below and the trace say it too."""
    file = tmp_path / "trace.json"
    root, agent = span(1, {"acme.payer": "legal"}), span(2, {"http.route": "/"}, 1)
    file.write_text(json.dumps(request(span(3, CHAT, 2), agent, root)))
    price_command([str(file)], as_json=True, dimension=["payer=acme.payer,payer"])
    document = json.loads(capsys.readouterr().out)

    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["spans"][0]["dimensions"] == {"payer": "legal"}
    assert document["traces"][0]["dimensions"] == {"payer": "legal"}


def test_a_dimension_without_keys_is_a_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        price_command([str(tmp_path)], dimension=["payer"])

    assert ended.value.exit_code == 1
    assert "expected NAME=KEY,KEY, saw 'payer'" in capsys.readouterr().err
