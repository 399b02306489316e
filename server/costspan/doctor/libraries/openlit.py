"""OpenLIT."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.common import ANTHROPIC_SDK_SPANS, OPENAI_STREAMS
from costspan.doctor.libraries.shape import Gap, Library, Seen

_HERE = "openlit.instrumentation."

OPENLIT = (
    Library(
        name="OpenLIT",
        package="pypi:openlit",
        versions="1.33.0 to 1.45.1",
        scopes=("openlit*",),
        dialect="openlit",
        spans="`chat`, `embeddings` are billed; `invoke_agent`, `invoke_workflow`, tasks and steps"
        " repeat them",
        seen=(
            Seen(f"{_HERE}openai", "", "openai"),
            Seen(f"{_HERE}anthropic", "", "anthropic"),
            Seen(f"{_HERE}bedrock", "", "aws.bedrock"),
            Seen(f"{_HERE}google_ai_studio", "", "gcp.gemini"),
            Seen(f"{_HERE}langchain", "", "anthropic"),
            Seen("openlit.otel.tracing", "", "anthropic"),
            Seen("openlit.otel.tracing", "", "openai"),
        ),
        cache=(
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gen_ai.usage.prompt_tokens_details.cached_tokens",
            "gen_ai.usage.prompt_tokens_details.cache_read",
        ),
        gaps=(
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "Where an API states no usage, half the letters of the text are counted as tokens,"
                " under the same keys as real counts.",
                OPENAI_STREAMS.fix,
                OPENAI_STREAMS.link,
            ),
            Gap(
                Finding.LIBRARY_OMITS,
                "1.45 reads OpenAI's reasoning tokens and writes no attribute for them; they are"
                " inside of the output.",
                providers=("openai",),
            ),
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "Its package for Vertex AI leaves the thoughts out of the output.",
                "the google-genai SDK, which its google_ai_studio package reads",
                providers=("gcp.vertex_ai",),
            ),
            ANTHROPIC_SDK_SPANS,
            Gap(
                Finding.DOUBLED,
                "It instruments every library that it finds.",
                'openlit.init(disabled_instrumentors=["openai", "anthropic"]), for those that'
                " another library watches",
                "https://docs.openlit.io/latest/sdk/configuration",
            ),
            Gap(
                Finding.COST_DIFFERS,
                "Its cost comes from a price list of its own; 0 is a model that it does not know.",
                "openlit.init(pricing_json=...)",
                "https://docs.openlit.io/latest/sdk/configuration",
            ),
        ),
        evidence=(
            "golden/openlit/openai_chat.json",
            "golden/openlit/anthropic_chat.json",
            "golden/openlit/google_thoughts.json",
            "golden/openlit/langgraph_last_message.json",
            "integration/test_real_libraries.py::openlit",
        ),
    ),
)
