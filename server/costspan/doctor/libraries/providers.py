"""Telemetry that the SDKs of providers make themselves."""

from __future__ import annotations

from costspan.doctor.libraries.common import ANTHROPIC_SDK_SPANS
from costspan.doctor.libraries.shape import Library, Seen

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
)
