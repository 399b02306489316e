"""LiteLLM, SDK and proxy."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.shape import Gap, Library, Seen

_DOCS = "https://docs.litellm.ai/docs/observability/opentelemetry_integration"

LITELLM = (
    Library(
        name="LiteLLM",
        package="pypi:litellm",
        versions="1.60.0 to 1.109.1, versions 1 and 2 of its telemetry",
        scopes=("litellm",),
        by_keys=True,
        dialect="litellm",
        spans="`litellm_request` (1) and `chat` (2) are billed; `raw_gen_ai_request` has no usage",
        seen=(Seen("litellm", "", "openai"), Seen("litellm", "", "anthropic")),
        cache=(
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "metadata.usage_object#/prompt_tokens_details/cached_tokens",
            "metadata.usage_object#/cache_creation_input_tokens",
        ),
        gaps=(
            Gap(
                Finding.PARENT_OVERWRITTEN,
                "Version 1 writes onto the span that is open, if there is one, and the next call"
                " overwrites it: of several calls below one span only the last is told.",
                "USE_OTEL_LITELLM_REQUEST_SPAN=true",
                _DOCS,
            ),
            Gap(
                Finding.NO_USAGE,
                "Streams state no usage unless the request asks for it.",
                'stream_options={"include_usage": True}; for the proxy'
                " general_settings: {always_include_stream_usage: true}",
                "https://docs.litellm.ai/docs/completion/stream",
            ),
            Gap(
                Finding.LIBRARY_OMITS,
                "Version 2 has no key for reasoning tokens; they are inside of the output.",
            ),
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "Of a call that it tried again itself, version 2 tells as failed, and says nothing"
                " of the answer (1.106.2, Anthropic's API).",
                "num_retries=0, and retries in the application",
                _DOCS,
                ("anthropic",),
            ),
            Gap(
                Finding.DOUBLED,
                "The application's own instrumentation tells of the same call, if it passes the"
                " trace's context on.",
            ),
        ),
        evidence=(
            "golden/litellm/v1_request.json",
            "golden/litellm/v1_onto_the_parent.json",
            "golden/litellm/v2_three_vocabularies.json",
            "golden/litellm/v2_cached_response.json",
            "integration/test_real_libraries.py::litellm-v1",
            "integration/test_real_libraries.py::litellm-v2",
        ),
    ),
)
