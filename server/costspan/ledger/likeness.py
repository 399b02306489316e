"""Whether two records tell of the same model call, and which of them tells it best. No trees.

Two libraries that watch one call agree on its tokens, if not always on how they are counted, on
its model, if not on its spelling, and never on two ids that the provider gave.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from costspan.model import AGGREGATE, ALREADY_METERED, LEAF, LlmCall
from costspan_pricing.naming import evident_platform, spellings
from costspan_pricing.usage import PROMPT

Tokens = tuple[int, int]  # in, out
Rank = tuple[int, bool, int, bool, int, int, int, int, int, int, bytes]

TELLS_OF_A_CALL = {AGGREGATE: 0, LEAF: 1, ALREADY_METERED: 2}  # of equal records the last bills
GATEWAY, FRAMEWORK, WRAPPED_SDK, SHARED_SDK, NATIVE = range(5)  # who tells it, the best last

_INPUT = frozenset(PROMPT)
_OUTPUT = frozenset({"output", "audio_output", "image_output"})  # reasoning lies inside output
_CACHED = frozenset(unit for unit in PROMPT if unit.startswith("cache"))
_SERVER, _CLIENT = 2, 3  # Span.kind
# OpenLLMetry (anthropic 0.62.4) adds the 1 to 8 tokens that a stream's first event states to the
# final count, which contains them.
_STREAM_START = 8

_ID_SHAPE = re.compile(r"[a-z]+(?=[-_])")  # chatcmpl-, resp_, msg_
_VENDOR = re.compile(r"^(?:.*/)?(?:[a-z]+\.)?(?=.)")  # openai/gpt-4o, anthropic.claude-...
_REGIONAL = re.compile(r"^regional\.")  # the book's name for a Bedrock id with a place: us., eu.
_EDITION = re.compile(r"[@-](?:20\d{6}|20\d\d-\d\d-\d\d|latest|default)$")

_GATEWAYS = ("litellm", "envoyproxy", "agentgateway", "traceloop_hub")
_SHARED = ("opentelemetry.instrumentation.genai.", "opentelemetry.util.genai")
_NATIVE = ("com.anthropic.sdk.", "mistralai_sdk_tracer")
_PARTS = re.compile(r"[./]|instrumentation-")  # Python's and JavaScript's names of packages
# Packages named after what they watch: a part of the scope's name is a provider's library.
_SDKS = frozenset(
    {"openai", "openai_v2", "anthropic", "bedrock", "bedrock-runtime", "cohere", "groq"}
    | {"mistralai", "together", "ollama", "replicate", "watsonx", "sagemaker", "writer"}
    | {"google_genai", "google_generativeai", "google_ai_studio", "vertexai", "azure_ai_inference"}
)


def tokens(call: LlmCall) -> Tokens:
    """The prompt and completion tokens of a call, in every class of price."""
    tokens_in = tokens_out = 0
    for unit, quantity in (call.usage or {}).items():
        if unit in _INPUT:
            tokens_in += quantity
        elif unit in _OUTPUT:
            tokens_out += quantity
    return tokens_in, tokens_out


def says_nothing(call: LlmCall) -> bool:
    """Whether the record has neither usage, right or wrong, nor a cost."""
    return call.usage is None and not call.invalid and call.charge.attos is None


def model(call: LlmCall) -> str:
    """The model without edition, place and vendor; "" where the name says nothing of it.

    What has no price may be an alias, or a deployment with a name of its owner's choosing.
    """
    priced = call.charge.priced_model
    return _plain(call.provider, priced) if priced else ""


def source(call: LlmCall) -> tuple[str, str]:
    """(service, shape of its response id): two ids of one source that differ are two calls.

    A gateway elsewhere may give an answer an id of its own; a provider does not give it two.
    """
    shape = _ID_SHAPE.match(call.response_id)
    return (call.service, shape[0]) if shape else ("", "")


def told_apart(one: LlmCall, other: LlmCall) -> bool:
    """True if their response ids prove two calls. Ids are opaque: case and length count."""
    return (
        bool(one.response_id and other.response_id)
        and one.response_id != other.response_id
        and source(one)[1] != ""
        and source(one) == source(other)
    )


def same_call(outer: LlmCall, inner: LlmCall) -> bool:
    """Whether a record and one inside of it, without a common id, are one call told twice."""
    if told_apart(outer, inner) or not _models_agree(outer, inner):
        return False
    return agree(outer, inner) or _client_of_client(outer, inner)


def agree(one: LlmCall, other: LlmCall) -> bool:
    """Whether the tokens are the same, however each of the two counts cached and reasoning ones."""
    inputs, outputs = input_readings(one), _output_readings(one)
    others_in, others_out = input_readings(other), _output_readings(other)
    if not (inputs[0] or outputs[0] or others_in[0] or others_out[0]):
        return (one.usage or {}) == (other.usage or {})  # counts what is no token, or nothing
    if not _meet(inputs, others_in):
        return False
    return _meet(outputs, others_out) or (
        inputs[0] == others_in[0] > 0
        and one.provider == "anthropic"
        and one.scope_name != other.scope_name
        and abs(outputs[0] - others_out[0]) <= _STREAM_START
    )


def rank(call: LlmCall, span_id: bytes) -> Rank:
    """Who bills of several records of a call: the highest. A total order on a trace's records.

    Who it is, a price, the finer breakdown, what its counts were proved by, what else decides the
    price, what else is counted, whose word it is; then the inner one, which begins later.
    """
    usage = call.usage or {}
    cost = call.charge.attos
    return (
        TELLS_OF_A_CALL[call.role],
        cost is not None,
        _breakdown(usage),
        call.decided_by != "default",
        len(call.context),
        len(usage),
        teller(call.scope_name, call.kind),
        call.start_ns,
        cost or 0,
        sum(tokens(call)),
        span_id,
    )


class Best:
    """Which record of a call tells it best. Asked of the same ones again and again."""

    def __init__(self, calls: Mapping[bytes, LlmCall]) -> None:
        self._calls = calls
        self._ranks: dict[bytes, Rank] = {}

    def of(self, *span_ids: bytes) -> bytes:
        return span_ids[0] if len(span_ids) == 1 else max(span_ids, key=self._rank)

    def _rank(self, span_id: bytes) -> Rank:
        known = self._ranks.get(span_id)
        if known is None:
            known = self._ranks[span_id] = rank(self._calls[span_id], span_id)
        return known


def supersedes(later: LlmCall, earlier: LlmCall) -> bool:
    """Whether the usage contains the other's, bucket by bucket."""
    held = later.usage or {}
    return all(held.get(unit, 0) >= quantity for unit, quantity in (earlier.usage or {}).items())


@lru_cache(maxsize=1024)
def teller(scope: str, kind: int) -> int:
    """Who tells of a call, from GATEWAY to NATIVE: nearer to the provider, closer to its bill."""
    if kind == _SERVER or scope.startswith(_GATEWAYS):
        return GATEWAY
    if scope.startswith(_NATIVE):
        return NATIVE
    if scope.startswith(_SHARED) and not scope.endswith((".langchain", ".openai_agents")):
        return SHARED_SDK
    if _SDKS.isdisjoint(_PARTS.split(scope)):
        return FRAMEWORK
    return WRAPPED_SDK


@lru_cache(maxsize=4096)
def _plain(provider: str, name: str) -> str:
    name = _REGIONAL.sub("", name)
    # Strands states itself as the provider; the id is Bedrock's all the same.
    plainest = (spellings(evident_platform(name) or provider, name) or ("",))[-1]
    return _EDITION.sub("", _VENDOR.sub("", plainest))


def _models_agree(one: LlmCall, other: LlmCall) -> bool:
    first, second = model(one), model(other)
    return not first or not second or first == second


def _client_of_client(outer: LlmCall, inner: LlmCall) -> bool:
    """ADOT's rule (aws-opentelemetry-distro 0.21, gen_ai_nested_client_span_processor.py)."""
    return (
        outer.kind == inner.kind == _CLIENT
        and inner.parent_span_id == outer.span_id
        and outer.operation == inner.operation != ""
    )


def _breakdown(usage: dict[str, int]) -> int:
    """What is known of the cache: its writes by lifetime, writes, reads, nothing."""
    if "cache_write_1h" in usage:
        return 3
    if "cache_write_5m" in usage:
        return 2
    return int("cache_read" in usage)


def input_readings(call: LlmCall) -> tuple[int, ...]:
    """All tokens of the prompt; then what others say who leave the cached out, or add them."""
    usage = call.usage or {}
    cached = sum(usage.get(unit, 0) for unit in _CACHED)
    total = tokens(call)[0]
    return (total, total - cached, total + cached) if cached else (total,)


def _output_readings(call: LlmCall) -> tuple[int, ...]:
    """All tokens of the answer; then what others say who leave its reasoning out, or add it."""
    reasoning = (call.usage or {}).get("reasoning", 0)
    total = tokens(call)[1]
    return (total, total - reasoning, total + reasoning) if reasoning else (total,)


def _meet(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Whether they are equal, or one is what the other's doubt allows. Zero is nobody's doubt."""
    first, second = one[0], other[0]
    return first == second or (first and first in other) or (second != 0 and second in one)
