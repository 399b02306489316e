"""Laws of reading a span, over arbitrary values under every key that we ask for.

1. Another spelling of what is already said changes neither usage nor cost.
2. Nothing that a span can hold makes the line raise.
3. Disjoint buckets add up to what the emitter counted.
4. The order of attributes is of no consequence.
"""

from __future__ import annotations

from random import Random

from hypothesis import assume, given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from costspan.dialect import DEFAULT_DIMENSIONS, Dimensions, recognise, wanted
from costspan.dialect.dimensions import MOST_LIST, text
from costspan.dialect.layout import COUNTS, DIALECTS, TEXTS
from costspan.dialect.table import CACHE_READ, CACHE_WRITE, INPUT, OUTPUT, REASONING
from costspan.model import Value
from costspan.processor.enrich import OWN_KEYS, attributes
from costspan.processor.price import price
from hits import call_of, hit, small_pricer

WANTED = wanted(DEFAULT_DIMENSIONS, OWN_KEYS)
PRICER = small_pricer()
SCOPES = (
    ("", ""),
    ("my.app", "1"),
    ("opentelemetry.instrumentation.openai_v2", "2.4b0"),
    ("opentelemetry.instrumentation.bedrock", "0.62.4"),
    ("opentelemetry.instrumentation.google_generativeai", "0.62.4"),
    ("openinference.instrumentation.bedrock", "0.1.61"),
    ("openlit.otel.tracing", ""),
)
COUNTED = (INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, REASONING)

tokens = st.integers(0, 100_000)
scopes = st.sampled_from(SCOPES)
anything: st.SearchStrategy[Value] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text()
    | st.binary()
    | st.sampled_from(["chat", "invoke_agent", "12", "-1", "NaN", '{"service_tier": 1}', "true"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
TELLING = wanted(Dimensions({}), OWN_KEYS).keys  # without the many that hold a dimension
names = st.sampled_from(sorted(TELLING - OWN_KEYS)) | st.sampled_from(
    sorted(WANTED.keys - OWN_KEYS)
)
spans = st.dictionaries(names, anything, max_size=12)


@st.composite
def chats(draw: st.DrawFn) -> dict[str, Value]:
    """A model call whose counts stand under any one spelling each; at least one of output."""
    values: dict[str, Value] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": draw(st.sampled_from(["openai", "anthropic", "aws.bedrock"])),
        "gen_ai.request.model": draw(st.sampled_from(["gpt-4o", "claude-sonnet-4-5", "else"])),
    }
    for meaning in COUNTED:
        if meaning == OUTPUT or draw(st.booleans()):
            values[draw(st.sampled_from(COUNTS[meaning]))] = draw(tokens)
    return values


# More than a spelling: who writes it counts in its own way, under a scope of any name.
SIGNATURES = frozenset[str]().union(*(each.signs for each in DIALECTS if each.home))


@given(chats(), scopes, st.sampled_from(COUNTED), st.data(), anything)
def test_an_older_spelling_of_what_is_said_changes_nothing(
    values: dict[str, Value],
    scope: tuple[str, str],
    meaning: str,
    data: st.DataObject,
    other: Value,
) -> None:
    """Whatever stands under it: the newest spelling is believed, and nothing is added."""
    keys = COUNTS[meaning]
    said = [key for key in keys if key in values]
    assume(bool(said))
    older = [key for key in keys[keys.index(said[0]) + 1 :] if key not in SIGNATURES]
    assume(bool(older))
    before, after = (
        call_of(values, scope=scope),
        call_of({**values, data.draw(st.sampled_from(older)): other}, scope=scope),
    )
    price(before, PRICER)
    price(after, PRICER)

    assert (before.usage, before.invalid) == (after.usage, after.invalid)
    assert before.charge == after.charge


@given(chats(), scopes, st.sampled_from(COUNTED), st.data())
def test_any_spelling_with_the_same_count_changes_nothing(
    values: dict[str, Value], scope: tuple[str, str], meaning: str, data: st.DataObject
) -> None:
    """Dual emission: a newer name beside an older one, both with the same number."""
    keys = COUNTS[meaning]
    said = [key for key in keys if key in values]
    assume(bool(said))
    spellings = [key for key in keys if key not in SIGNATURES]
    both = {**values, data.draw(st.sampled_from(spellings)): values[said[0]]}

    assert call_of(values, scope=scope).usage == call_of(both, scope=scope).usage


@given(spans, scopes, spans, st.booleans(), st.integers(0, 2))
def test_nothing_on_a_span_makes_the_line_raise(
    values: dict[str, Value],
    scope: tuple[str, str],
    resource: dict[str, Value],
    remeter: bool,  # noqa: FBT001  hypothesis hands arguments over by position
    status: int,
) -> None:
    """And what it writes is an attribute list that any OTLP reader takes."""
    own = {key: value for key, value in resource.items() if key in OWN_KEYS}
    span = hit(values, scope=scope, resource=resource, own=own, status=status)
    call = recognise(span, DEFAULT_DIMENSIONS, remeter=remeter)
    if call is None:
        return
    price(call, PRICER)
    added = Span.FromString(attributes(call, own, frozenset()))

    assert {attribute.key for attribute in added.attributes} <= OWN_KEYS - own.keys()
    assert call.usage is None or all(count > 0 for count in call.usage.values())
    assert not (call.invalid and call.charge.total)


@given(st.sampled_from(sorted(OWN_KEYS)), anything)
def test_nothing_under_our_own_names_makes_it_raise_either(name: str, value: Value) -> None:
    call = call_of({"gen_ai.usage.input_tokens": 5}, own={name: value})
    price(call, PRICER)

    assert call.usage == {"input": 5}


@given(tokens, tokens, tokens, tokens, tokens)
def test_buckets_add_up_to_what_an_inclusive_emitter_counted(
    fresh: int, read: int, written: int, output: int, reasoning: int
) -> None:
    assume(reasoning <= output)
    call = call_of(
        {
            "gen_ai.usage.input_tokens": fresh + read + written,
            "gen_ai.usage.cache_read.input_tokens": read,
            "gen_ai.usage.cache_creation.input_tokens": written,
            "gen_ai.usage.output_tokens": output,
            "gen_ai.usage.reasoning_tokens": reasoning,
        },
        scope=("opentelemetry.instrumentation.anthropic", "0.62.4"),
    )
    usage = call.usage or {}

    assert fresh + read + written + output == sum(usage.values()) - usage.get("reasoning", 0)
    assert (fresh, read, output) == tuple(
        usage.get(bucket, 0) for bucket in ("input", "cache_read", "output")
    )


@given(tokens, tokens, tokens, tokens)
def test_buckets_are_the_counts_of_an_exclusive_emitter(
    fresh: int, read: int, written: int, output: int
) -> None:
    call = call_of(
        {
            "gen_ai.usage.input_tokens": fresh,
            "gen_ai.usage.cache_read.input_tokens": read,
            "gen_ai.usage.cache_creation.input_tokens": written,
            "gen_ai.usage.output_tokens": output,
        },
        scope=("@traceloop/instrumentation-anthropic", "0.27.0"),
    )
    usage = call.usage or {}

    assert (fresh, read, written, output) == tuple(
        usage.get(bucket, 0) for bucket in ("input", "cache_read", "cache_write_5m", "output")
    )


@given(spans, scopes, st.randoms(use_true_random=False))
def test_the_order_of_attributes_is_of_no_consequence(
    values: dict[str, Value], scope: tuple[str, str], order: Random
) -> None:
    shuffled = list(values.items())
    order.shuffle(shuffled)

    assert recognise(hit(values, scope=scope), DEFAULT_DIMENSIONS) == recognise(
        hit(dict(shuffled), scope=scope), DEFAULT_DIMENSIONS
    )


@given(st.lists(st.text() | st.integers(), min_size=1), st.randoms(use_true_random=False))
def test_tags_are_a_set(tags: list[Value], order: Random) -> None:
    """In whatever order and however often they were added, and never long."""
    again = tags + order.choices(tags, k=len(tags))
    order.shuffle(again)

    assert text(again) == text(tags)
    assert len(text(tags)) <= MOST_LIST


@given(chats(), scopes)
def test_the_double_is_the_nearest_to_the_exact_cost(
    values: dict[str, Value], scope: tuple[str, str]
) -> None:
    call = call_of(values, scope=scope)
    price(call, PRICER)
    added = Span.FromString(attributes(call, {}, frozenset())).attributes
    written = {attribute.key: attribute.value for attribute in added}
    exact = "window.financial.total_cost_exact"

    assert (exact in written) == bool(call.charge.total)
    if exact in written:
        double = written["window.financial.total_cost"].double_value
        assert float(written[exact].string_value) == double
        assert call.charge.attos == sum(int(line.usd) for line in call.charge.lines)


def test_a_text_is_read_under_one_meaning_only() -> None:
    """A key in two tables would be two facts."""
    keys = [key for table in (COUNTS, TEXTS) for keys in table.values() for key in keys]

    assert len(keys) == len(set(keys))
