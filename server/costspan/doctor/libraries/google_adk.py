"""Google's Agent Development Kit."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.shape import Gap, Library, Seen

_SCOPE = "gcp.vertex.agent"

GOOGLE_ADK = (
    Library(
        name="Google ADK",
        package="pypi:google-adk",
        versions="1.0.0, 1.18.0, 1.36.0, 2.0.0, 2.4.0 and 2.13.0",
        scopes=(_SCOPE,),
        dialect="google_adk",
        spans="`generate_content` is billed; `call_llm` around it (1.x, first schema of 2.x) tells"
        " of the same call; `invoke_agent` and `execute_tool` have no usage",
        seen=(
            Seen(_SCOPE, "1.36.0", "gcp.gemini"),
            Seen(_SCOPE, "2.13.0", "gcp.gemini"),
            Seen(_SCOPE, "2.13.0", "anthropic"),
        ),
        cache=(
            "gen_ai.usage.cache_read.input_tokens",
            "gen_ai.usage.cache_creation.input_tokens",
            "gcp.vertex.agent.llm_response#/usage_metadata/cached_content_token_count",
        ),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "To 2.0 thoughts and cached tokens stand in the content of the answer alone.",
                "ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS=true, or google-adk 2.4",
            ),
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "From 2.4 on the reasoning of a model behind LiteLLM is in the output twice; it is"
                " taken out once where the model's name shows LiteLLM.",
            ),
            Gap(
                Finding.NO_RESPONSE_MODEL,
                "From 2.x on no span names the model that answered.",
            ),
            Gap(
                Finding.DOUBLED,
                "OpenInference's and OpenTelemetry's packages for Google Gen AI tell of the same"
                " calls.",
            ),
        ),
        evidence=(
            "golden/google_adk/call_1_0.json",
            "golden/google_adk/call_1_18.json",
            "golden/google_adk/without_content_1_36.json",
            "golden/google_adk/generate_content_2_13.json",
            "golden/google_adk/litellm_2_13.json",
            "golden/google_adk/claude_2_13.json",
            "integration/test_real_libraries.py::google-adk",
        ),
    ),
)
