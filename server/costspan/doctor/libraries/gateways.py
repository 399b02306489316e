"""Gateways that make spans of the calls that pass through them."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.shape import Gap, Library, Seen

_READ = "gen_ai.usage.cache_read.input_tokens"
_WRITE = "gen_ai.usage.cache_creation.input_tokens"
_TWICE = Gap(
    Finding.DOUBLED,
    "The client's own instrumentation tells of the same call, if it passes the trace's context on.",
)

GATEWAYS = (
    Library(
        name="Envoy AI Gateway",
        package="github.com/envoyproxy/ai-gateway",
        versions="1.1",
        scopes=("envoyproxy/ai-gateway",),
        dialect="genai",
        spans="`chat`, `Message` are billed; `tokenize` and `CountTokens` are free",
        seen=(
            Seen("envoyproxy/ai-gateway", "", "anthropic", "claude", "chat "),
            Seen("envoyproxy/ai-gateway", "", "openai", "gpt-4o", "chat "),
        ),
        cache=(
            _READ,
            _WRITE,
            "llm.token_count.prompt_details.cache_read",
            "llm.token_count.prompt_details.cache_creation",
        ),
        gaps=(
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "With the GenAI names a chat completion that it translates for Claude counts the"
                " cached tokens in, a message of Anthropic's API does not, and both look the same:"
                " they are read as the latter.",
                "AI_GATEWAY_TRACING_SEMCONV=openinference, the default",
                providers=("anthropic", "aws.bedrock", "gcp.vertex_ai"),
            ),
            _TWICE,
        ),
        evidence=(
            "golden/otel/envoy_messages_raw.json",
            "golden/otel/envoy_chat_completions.json",
            "golden/otel/envoy_tokenize.json",
            "golden/openinference/envoy_cache_creation.json",
            "golden/openinference/envoy_token_counter.json",
        ),
    ),
    Library(
        name="agentgateway",
        package="github.com/agentgateway/agentgateway",
        versions="1.4.1 and later",
        scopes=("agentgateway",),
        dialect="genai",
        spans="the span of a request to a model is billed",
        seen=(
            Seen("agentgateway", "1.4.1", "anthropic"),
            Seen("agentgateway", "1.5.0", "anthropic"),
        ),
        cache=(_READ, _WRITE),
        gaps=(_TWICE,),
        evidence=("golden/otel/agentgateway_raw.json", "golden/otel/agentgateway_folded.json"),
    ),
    Library(
        name="Traceloop Hub",
        package="github.com/traceloop/hub",
        versions="302730e",
        scopes=("traceloop_hub",),
        dialect="openllmetry",
        spans="Each request's span is billed, unless the client tells of the same call better",
        seen=(Seen("traceloop_hub", "", "openai"),),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "Cached and reasoning tokens have no key: what the cache served is priced in full.",
                "an instrumentation of the client beside it: the richer span is billed",
            ),
            _TWICE,
        ),
        evidence=("golden/otel/traceloop_hub.json",),
    ),
)
