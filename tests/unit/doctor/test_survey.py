"""What a survey keeps: little, the newest, and of a busy service a part, which it says."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from costspan.doctor.snapshot import Snapshot, decode, encode
from costspan.doctor.survey import MAX_KINDS, Survey
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.rollup import Rollup, rollup
from costspan.model import METRICS
from costspan.telemetry import Telemetry
from ledger_samples import Span, calls, frame, heads, record, span


def rolled(*spans: Span) -> Rollup:
    return rollup(calls(spans), [one.head[1:] for one in spans])


def seen(survey: Survey) -> int:
    """Calls of all kinds."""
    return sum(each.times for each in survey.snapshot().calls)


def test_calls_that_differ_in_nothing_that_matters_are_one_kind() -> None:
    survey = Survey(complete=True)
    survey.take(b"t", rolled(span(1, call=record(100, 10)), span(2, call=record(700, 9))))
    (kind,) = survey.snapshot().calls

    assert kind.times == 2
    assert {each.span_id for each in kind.examples} == {f"{n:016x}" for n in (1, 2)}


def test_a_busy_service_is_looked_at_in_part_and_a_rare_one_whole() -> None:
    """256 traces, then one in 16."""
    survey = Survey()
    busy, rare = (rolled(span(1, call=record(service=name))) for name in ("busy", "rare"))
    for _ in range(256 + 320):
        survey.take(b"t", busy)
    survey.take(b"t", rare)
    by_name = {each.service: each for each in survey.snapshot().services}

    assert (by_name["busy"].traces, by_name["busy"].looked_at) == (576, 276)
    assert (by_name["rare"].traces, by_name["rare"].looked_at) == (1, 1)
    assert seen(survey) == 277


def test_files_are_looked_at_whole() -> None:
    survey, one = Survey(complete=True), rolled(span(1, call=record()))
    for _ in range(300):
        survey.take(b"t", one)

    assert seen(survey) == 300


def test_a_long_trace_does_not_hold_up_the_others() -> None:
    """Of a running sidecar; a file has the time."""
    long = rolled(*(span(n, call=record()) for n in range(1, 1200)))
    running, complete = Survey(), Survey(complete=True)
    running.take(b"t", long)
    complete.take(b"t", long)

    assert seen(running) == 1000
    assert seen(complete) == 1199


def test_kinds_are_bounded_and_the_oldest_goes() -> None:
    """A client that makes up scope names must not fill our memory."""
    survey = Survey(complete=True)
    for n in range(MAX_KINDS + 5):
        call = record()
        call.scope_name = f"scope {n}"
        survey.take(b"t", rolled(span(1, start=n, end=n + 1, call=call)))
    snapshot = survey.snapshot()

    assert len(snapshot.calls) == MAX_KINDS
    assert snapshot.forgotten == 5
    assert {each.kind.scope for each in snapshot.calls} == {
        f"scope {n}" for n in range(5, MAX_KINDS + 5)
    }


def test_names_are_cut() -> None:
    survey, call = Survey(complete=True), record()
    call.scope_name = "x" * 5000
    survey.take(b"t", rolled(span(1, call=call)))

    assert survey.snapshot().calls[0].kind.scope == "x" * 200


def test_a_body_that_is_no_otlp_is_no_fault() -> None:
    """It was accepted by its outline; the letters may stand anywhere."""
    survey = Survey()
    survey.note(METRICS, b"\xff gen_ai.usage. \xff")

    assert survey.snapshot().signals == []


def test_of_many_bodies_a_part_is_searched() -> None:
    """256, then one in 16: logs come by the megabyte."""
    message = ExportMetricsServiceRequest()
    message.resource_metrics.add().scope_metrics.add().metrics.add(name="gen_ai.client.token.usage")
    body = message.SerializeToString()
    survey = Survey()
    for _ in range(256 + 160):
        survey.note(METRICS, body)
    (told,) = survey.snapshot().signals

    assert told.items == 266


def test_a_snapshot_survives_its_json() -> None:
    survey = Survey(complete=True)
    survey.take(b"t", rolled(span(1, call=record()), span(2, 7, call=record())))

    assert decode(encode(survey.snapshot())) == survey.snapshot()


@pytest.mark.parametrize("data", [b"<html>", b"[]", b'{"schema": "costspan.survey/v9"}'])
def test_what_is_no_snapshot_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"expected a survey as costspan\.survey/v1, saw"):
        decode(data)


def test_the_ledger_shows_each_trace_once_when_it_is_closed() -> None:
    """Late spans amend the row; the doctor has seen enough."""
    survey = Survey()
    ledger = TraceLedger(LedgerSettings(), "w", Telemetry(), observe=survey.take)
    early, late = (span(1, call=record()),), (span(2, 1, call=record()),)
    ledger.add(frame(1, early), heads(early), 0)
    assert survey.snapshot() == Snapshot()

    second = 1_000_000_000
    ledger.expire(6 * second)
    assert seen(survey) == 1
    ledger.add(frame(2, late), heads(late), 7 * second)
    ledger.shutdown(30 * second)
    assert seen(survey) == 1
