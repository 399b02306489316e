"""Telemetry that the SDKs of providers make themselves."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.common import ANTHROPIC_SDK_SPANS
from costspan.doctor.libraries.shape import Gap, Library, Seen

_ANTHROPIC = "com.anthropic.sdk.python"

PROVIDERS = (
    Library(
        name="Anthropic SDK (Python)",
        package="pypi:anthropic",
        versions="2.12.0",
        scopes=(f"{_ANTHROPIC}*",),
        dialect="genai",
        spans="`anthropic.messages.create` is billed; `tool_runner` frames calls, `count_tokens`"
        " is free",
        seen=(
            Seen(_ANTHROPIC, "2.12.0", "anthropic"),
            Seen(f"{_ANTHROPIC}.bedrock", "2.12.0", "aws.bedrock"),
        ),
        cache=(
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_write.input_tokens",
            "anthropic.usage.cache_creation.ephemeral_5m_input_tokens",
            "anthropic.usage.cache_creation.ephemeral_1h_input_tokens",
        ),
        gaps=(ANTHROPIC_SDK_SPANS,),
        evidence=(
            "golden/anthropic/native_sdk.json",
            "golden/anthropic/hour_long_write.json",
            "golden/anthropic/compaction.json",
            "integration/test_real_libraries.py::otel-genai-and-sdk",
        ),
    ),
    Library(
        name="Mistral SDK (Python)",
        package="pypi:mistralai",
        versions="1.12.4, 2.0.0, 3.0.0 and 3.7.0",
        scopes=("mistralai_sdk_tracer",),
        dialect="genai",
        spans="`chat`, `embeddings` and the completions of agents are billed",
        seen=(Seen("mistralai_sdk_tracer", "", "mistral_ai"),),
        cache=("gen_ai.usage.cache_read.input_tokens",),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "To 3.0 cached tokens have no key, and are priced in full.",
                "mistralai 3.7",
            ),
        ),
        evidence=("golden/otel/mistral_3_7.json", "golden/otel/mistral_1_12.json"),
    ),
)
