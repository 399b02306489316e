"""OpenTelemetry's own instrumentations, Python and JavaScript."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.common import ANTHROPIC_SDK_SPANS, OPENAI_STREAMS
from costspan.doctor.libraries.shape import Gap, Library, Seen

_READ = "gen_ai.usage.cache_read.input_tokens"
_WRITE = "gen_ai.usage.cache_write.input_tokens"
_GENAI = "opentelemetry.instrumentation.genai."
_PYTHON = "https://github.com/open-telemetry/opentelemetry-python-contrib"

OPENTELEMETRY = (
    Library(
        name="OpenTelemetry GenAI for OpenAI",
        package="pypi:opentelemetry-instrumentation-genai-openai",
        versions="1.3b0",
        scopes=(f"{_GENAI}openai",),
        dialect="genai",
        spans="`chat`, `embeddings` are billed; `fetch_response` repeats an earlier answer",
        seen=(Seen(f"{_GENAI}openai", "1.3b0", "openai"),),
        cache=(_READ, _WRITE),
        gaps=(
            OPENAI_STREAMS,
            Gap(
                Finding.UNPRICED,
                "On Azure the request's model is the name of a deployment.",
                "an alias of the deployment in a rate card",
                providers=("azure.ai.openai",),
            ),
        ),
        evidence=(
            "golden/otel/chat_current.json",
            "golden/otel/azure_by_its_host.json",
            "integration/test_real_libraries.py::otel-genai",
        ),
    ),
    Library(
        name="OpenTelemetry GenAI for Anthropic",
        package="pypi:opentelemetry-instrumentation-genai-anthropic",
        versions="1.3b0",
        scopes=(f"{_GENAI}anthropic",),
        dialect="genai",
        spans="`chat` is billed",
        seen=(Seen(f"{_GENAI}anthropic", "1.3b0", "anthropic"),),
        cache=(_READ, _WRITE),
        gaps=(
            ANTHROPIC_SDK_SPANS,
            Gap(
                Finding.LIBRARY_OMITS,
                "How many of the written tokens stay for an hour has no key: they are priced as"
                " written for 5 minutes.",
                "the SDK's own spans, which have it",
            ),
        ),
        evidence=(
            "golden/otel/util_genai_anthropic_write.json",
            "integration/test_real_libraries.py::otel-genai",
            "integration/test_real_libraries.py::otel-genai-and-sdk",
        ),
    ),
    Library(
        name="OpenTelemetry GenAI for Bedrock",
        package="pypi:opentelemetry-instrumentation-genai-bedrock",
        versions="1.3b0",
        scopes=(f"{_GENAI}bedrock",),
        dialect="genai",
        spans="`chat` is billed",
        seen=(Seen(f"{_GENAI}bedrock", "1.3b0", "aws.bedrock"),),
        cache=(_READ, _WRITE),
        evidence=("golden/otel/util_genai_bedrock_raw.json",),
    ),
    Library(
        name="OpenTelemetry GenAI, other libraries",
        package="pypi:opentelemetry-util-genai",
        versions="0.4b0 to 1.3b0",
        scopes=(f"{_GENAI}*", "opentelemetry.util.genai*"),
        dialect="genai",
        spans="inference operations are billed; agents and workflows frame them",
        seen=(
            Seen("opentelemetry.util.genai.handler", "1.3b0", "openai"),
            Seen("opentelemetry.util.genai.handler", "1.3b0", "aws.bedrock"),
        ),
        cache=(_READ, _WRITE, "gen_ai.usage.cache_creation.input_tokens"),
        gaps=(
            OPENAI_STREAMS,
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "openai-v2 2.4b0 writes under this scope too, and counts neither the cached nor the"
                " reasoning tokens of chat completions: prompts that the cache served are priced in"
                " full.",
                "opentelemetry-instrumentation-genai-openai in its place",
                _PYTHON,
                ("openai", "azure.ai.openai"),
            ),
        ),
        evidence=(
            "integration/test_real_libraries.py::otel-openai-v2",
            "golden/otel/util_genai_without_a_library.json",
            "golden/otel/util_genai_text_modality.json",
            "golden/otel/agent_bears_witness.json",
        ),
    ),
    Library(
        name="OpenTelemetry for Google Gen AI",
        package="pypi:opentelemetry-instrumentation-google-genai",
        versions="1.3b0",
        scopes=("opentelemetry.instrumentation.google_genai",),
        dialect="genai",
        spans="`generate_content` is billed",
        seen=(Seen("opentelemetry.instrumentation.google_genai", "1.3b0", "gcp.gemini"),),
        cache=(_READ,),
        gaps=(
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "Releases to 0.7 leave the thoughts out of the output; 1.3b0 leaves out the tokens"
                " of prompts that tools made.",
                "opentelemetry-instrumentation-google-genai 1.0b0 or later, for the thoughts",
                _PYTHON,
            ),
            Gap(
                Finding.LIBRARY_OMITS,
                "1.3b0 instruments nothing where google-genai is 3 or later, and logs it.",
                "google-genai 2, or openinference-instrumentation-google-genai",
            ),
        ),
        evidence=(
            "golden/otel/google_genai_thoughts.json",
            "integration/test_real_libraries.py::google-genai-opentelemetry",
            "integration/test_real_libraries.py::google-genai-doubled",
        ),
    ),
    Library(
        name="OpenTelemetry for OpenAI (openai-v2)",
        package="pypi:opentelemetry-instrumentation-openai-v2",
        versions="2.4b0",
        scopes=("opentelemetry.instrumentation.openai_v2",),
        dialect="genai",
        spans="`chat`, `embeddings` are billed",
        seen=(Seen("opentelemetry.instrumentation.openai_v2", "2.4b0", "openai"),),
        cache=(_READ, "gen_ai.usage.cache_creation.input_tokens"),
        gaps=(
            OPENAI_STREAMS,
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "By default 2.4b0 counts neither cached nor reasoning tokens of chat completions:"
                " prompts that the cache served are priced in full.",
                "opentelemetry-instrumentation-genai-openai in its place",
                _PYTHON,
                ("openai", "azure.ai.openai"),
            ),
        ),
        evidence=(
            "golden/otel/chat_dual_emission.json",
            "golden/otel/stream_without_usage.json",
            "integration/test_real_libraries.py::otel-openai-v2",
        ),
    ),
    Library(
        name="OpenTelemetry for OpenAI Agents",
        package="pypi:opentelemetry-instrumentation-openai-agents-v2",
        versions="0.1.0",
        scopes=("opentelemetry.instrumentation.openai_agents",),
        scope_version=r"(?:.*b\d+)?",  # OpenLLMetry's has the same name, and a release's number
        dialect="genai",
        spans="`chat` is billed; workflow, turn and agent spans frame it",
        seen=(Seen("opentelemetry.instrumentation.openai_agents", "", "openai"),),
        gaps=(
            OPENAI_STREAMS,
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "0.1.0 has no key for cached or reasoning tokens: prompts that the cache served"
                " are priced in full.",
                "an instrumentation of the OpenAI SDK beside it: the richer span is billed",
            ),
        ),
        evidence=(
            "golden/otel/workflow_of_unknown_kind.json",
            "golden/otel/openai_agents_v2_zero.json",
        ),
    ),
    Library(
        name="OpenTelemetry for Vertex AI",
        package="pypi:opentelemetry-instrumentation-vertexai",
        versions="2.1b0",
        scopes=("opentelemetry.instrumentation.vertexai",),
        scope_version=r".*b\d+",
        dialect="genai",
        spans="`chat` is billed",
        seen=(Seen("opentelemetry.instrumentation.vertexai", "2.1b0", "gcp.vertex_ai"),),
        gaps=(
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "2.1b0 leaves the thoughts out of the output, and has no total that shows them.",
                "the google-genai SDK with opentelemetry-instrumentation-google-genai",
                _PYTHON,
            ),
        ),
        evidence=("golden/otel/vertexai_candidates_only.json",),
    ),
    Library(
        name="OpenTelemetry for botocore",
        package="pypi:opentelemetry-instrumentation-botocore",
        versions="0.66b2",
        scopes=("opentelemetry.instrumentation.botocore*",),
        dialect="genai",
        spans="`chat` is billed",
        seen=(
            Seen("opentelemetry.instrumentation.botocore.bedrock-runtime", "0.66b2", "aws.bedrock"),
        ),
        cache=(_READ, "gen_ai.usage.cache_creation.input_tokens"),
        gaps=(
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "Cached tokens are counted on Converse only; InvokeModel drops Claude's, and"
                " guesses those of Cohere and Mistral from the letters.",
                "the Converse API in place of InvokeModel",
                _PYTHON,
            ),
        ),
        evidence=("golden/otel/bedrock_botocore.json",),
    ),
    Library(
        name="OpenTelemetry for OpenAI (JavaScript)",
        package="npm:@opentelemetry/instrumentation-openai",
        versions="0.21.0",
        scopes=("@opentelemetry/instrumentation-openai",),
        dialect="genai",
        spans="`chat`, `embeddings` are billed",
        seen=(Seen("@opentelemetry/instrumentation-openai", "0.21.0", "openai"),),
        gaps=(
            OPENAI_STREAMS,
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "0.21.0 has no key for cached or reasoning tokens: prompts that the cache served"
                " are priced in full.",
            ),
        ),
        evidence=(
            "golden/otel/javascript_openai.json",
            "integration/test_real_libraries.py::javascript-opentelemetry",
        ),
    ),
)
