"""Spans that no library should send: forwarded unharmed, flagged with a reason, counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.dialect.layout import COUNTS
from costspan.journal.memory import MemoryJournal
from costspan.ledger.meter import Meter as Counters
from costspan.model import SOLO, LlmCall, Value, decode_calls
from costspan.pipeline import Meter, Pipeline
from costspan.processor.enrich import OWN_KEYS
from costspan.telemetry import Telemetry
from costspan.testing import ManualClock, request, span
from costspan.wire.values import varint
from hits import small_pricer

CHAT: dict[str, Value] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
}
METER = Meter.by(small_pricer())
SPELLINGS = sorted(key for keys in COUNTS.values() for key in keys if "#" not in key)


class Outcome(NamedTuple):
    """What became of a request of one span."""

    call: LlmCall | None
    before: Span
    after: Span
    flags: int

    @property
    def added(self) -> dict[str, str]:
        """The texts among the attributes that the span has gained."""
        gained = list(self.after.attributes)[len(self.before.attributes) :]
        return {kv.key: kv.value.string_value for kv in gained}


def taken_in(body: bytes) -> Outcome:
    """Through the whole intake. What was on the span is on it still, in order, and untouched."""
    telemetry, clock = Telemetry(), ManualClock()
    line = Pipeline(MemoryJournal([], 1 << 20, telemetry, clock), METER, telemetry, clock)
    done = line.intake(body)
    if done.flags & SOLO:
        assert (done.body, done.faults) == (body, 0)
        return Outcome(None, Span(), Span(), done.flags)
    before, after = _span(body), _span(done.body)
    assert done.faults == 0
    assert list(after.attributes)[: len(before.attributes)] == list(before.attributes)
    assert {kv.key for kv in list(after.attributes)[len(before.attributes) :]} <= OWN_KEYS
    calls = decode_calls(done.calls)
    return Outcome(calls[0] if calls else None, before, after, done.flags)


def _span(body: bytes) -> Span:
    return ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans[0]


def chat(changes: Mapping[str, Value]) -> Outcome:
    return taken_in(request(span({**CHAT, **changes})))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gen_ai.usage.input_tokens": -1}, "saw -1"),
        ({"gen_ai.usage.input_tokens": 2**62}, "from 0 to 10^12"),
        ({"gen_ai.usage.input_tokens": 1e300}, "saw 1e+300"),
        ({"gen_ai.usage.input_tokens": float("inf")}, "saw inf"),
        ({"gen_ai.usage.input_tokens": 10.5}, "saw 10.5"),
        ({"gen_ai.usage.input_tokens": True}, "saw True"),
        ({"gen_ai.usage.input_tokens": "many"}, "saw 'many'"),
        ({"gen_ai.usage.input_tokens": "9" * 400}, "saw '999"),
        ({"gen_ai.usage.input_tokens": [1000]}, "saw [1000]"),
        ({"gen_ai.usage.input_tokens": {"value": 1000}}, "saw {'value': 1000}"),
        ({"gen_ai.usage.input_tokens": b"1000"}, "saw b'1000'"),
        ({"gen_ai.usage.total_tokens": 5}, "a total of 5 tokens is less than the 1000"),
        ({"gen_ai.usage.audio.input_tokens": 2000}, "exceed the input tokens that contain them"),
        (
            {
                "gen_ai.usage.cache_creation.input_tokens": 10,
                "gen_ai.usage.cache_creation.1h_input_tokens": 30,
            },
            "exceed their total of 10",
        ),
    ],
)
def test_a_count_that_is_none_flags_its_call_and_never_costs_anything(
    changes: dict[str, Value], reason: str
) -> None:
    outcome = chat(changes)
    call = outcome.call

    assert call is not None
    assert reason in call.invalid
    assert (call.usage, call.charge.total, call.charge.status) == (None, "", "invalid_usage")
    assert outcome.added == {"window.financial.status": "invalid_usage"}


def test_cached_tokens_beyond_the_input_are_nonsense_where_they_lie_inside_it() -> None:
    """openai-v2 passes OpenAI's own counts on, and there they do."""
    body = request(
        span({**CHAT, "gen_ai.usage.cache_read.input_tokens": 1001}),
        scope=("opentelemetry.instrumentation.openai_v2", "2.4b0"),
    )
    call = taken_in(body).call

    assert call is not None
    assert call.invalid == "1001 cached tokens exceed the 1000 input tokens that contain them"


def test_every_flagged_call_is_counted() -> None:
    telemetry = Telemetry()
    counters = Counters(telemetry)
    for tokens in (-1, "many", 1000):
        call = chat({"gen_ai.usage.input_tokens": tokens}).call
        assert call is not None
        counters.arrive(call)
    counters.flush()

    assert telemetry.invalid_usage_spans.exact() == 2


@given(
    st.dictionaries(
        st.sampled_from(SPELLINGS),
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63 - 1)
        | st.floats()
        | st.text(max_size=8)
        | st.binary(max_size=8)
        | st.lists(st.integers(0, 9), max_size=2),
        max_size=8,
    )
)
def test_whatever_stands_under_a_count_is_forwarded_and_priced_or_explained(
    changes: dict[str, Value],
) -> None:
    """Never both a cost and a contradiction, and never a cost of tokens that nobody counted."""
    outcome = chat(changes)
    call = outcome.call

    assert call is not None
    if call.invalid:
        assert (call.usage, call.charge.status) == (None, "invalid_usage")
    elif call.usage is None:
        assert call.charge.reason == "no_usage"
    else:
        assert all(0 < tokens <= 2 * 10**12 for tokens in call.usage.values())
        # a model that takes no audio has no price for cached audio
        assert call.charge.status == "priced" or call.charge.reason == "no_rate_for_unit"
    assert outcome.added["window.financial.status"] == call.charge.status


@pytest.mark.parametrize("key", ["acme.field.{}", "gen_ai.field_{}", "gen_ai.prompt.{}.content"])
def test_a_call_among_ten_thousand_attributes_is_priced(key: str) -> None:
    """They stay on the span; of unknown names only so many are told apart."""
    outcome = chat({key.format(number): "x" * 20 for number in range(10_000)})
    call = outcome.call

    assert call is not None
    assert (call.charge.status, call.usage) == ("priced", {"input": 1000, "output": 100})
    assert len(outcome.before.attributes) == 10_000 + len(CHAT)
    assert len(call.unknown) <= 65


def test_unknown_names_beyond_a_fixed_number_are_told_as_other() -> None:
    call = chat({f"gen_ai.strange_{number:03}": 1 for number in range(200)}).call

    assert call is not None
    assert "other" in call.unknown
    telemetry = Telemetry()
    counters = Counters(telemetry)
    counters.arrive(call)
    counters.flush()
    assert telemetry.unknown_gen_ai_keys.exact("other") == 1


def with_nested(key: str, depth: int) -> bytes:
    """A call with maps in maps under a key. By hand: the generated classes refuse to hold them."""
    value = b"\x18\x01"
    for _ in range(depth):
        value = field(0x32, field(0x0A, field(0x0A, b"in") + field(0x12, value)))
    attribute = field(0x4A, field(0x0A, key.encode()) + field(0x12, value))
    made = span(CHAT).SerializeToString() + attribute
    return field(0x0A, field(0x12, field(0x12, made)))


def field(tag: int, body: bytes) -> bytes:
    """A length-delimited field."""
    return bytes((tag,)) + varint(len(body)) + body


def test_deep_nesting_beside_a_call_is_of_no_consequence() -> None:
    call = taken_in(with_nested("gen_ai.input.messages", 20)).call

    assert call is not None
    assert call.charge.status == "priced"


def test_deep_nesting_in_place_of_a_count_is_nonsense() -> None:
    """The last of equal keys wins, and what is too deep to be shown is cut."""
    call = taken_in(with_nested("gen_ai.usage.input_tokens", 20)).call

    assert call is not None
    assert "gen_ai.usage.input_tokens: expected a whole number of tokens" in call.invalid
    assert len(call.invalid) < 200


def test_a_depth_that_no_reader_takes_is_forwarded_alone_and_verbatim() -> None:
    """Upb refuses 100 levels, so whoever comes after us does."""
    assert taken_in(with_nested("gen_ai.usage.input_tokens", 60)).flags & SOLO
