"""OpenLLMetry (Traceloop), Python and JavaScript."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.common import ANTHROPIC_SDK_SPANS, OPENAI_STREAMS
from costspan.doctor.libraries.shape import Gap, Library, Seen

_HERE = "opentelemetry.instrumentation."
_RELEASE = r"0\.\d+\.\d+"  # OpenTelemetry's own, under the same names, end in a beta
_READ = "gen_ai.usage.cache_read.input_tokens"
_WRITE = "gen_ai.usage.cache_creation.input_tokens"
_OLD_READ = "gen_ai.usage.cache_read_input_tokens"
_OLD_WRITE = "gen_ai.usage.cache_creation_input_tokens"
_DOCS = "https://www.traceloop.com/docs/openllmetry/tracing"

_AGENT = Gap(
    Finding.NO_AGENT,
    "Calls have the name of an agent only below a function that is said to be one.",
    '@agent(name="...") of traceloop.sdk.decorators, or gen_ai.agent.name on a span above',
    f"{_DOCS}/annotations",
)
_TRUNCATED = Gap(
    Finding.TRUNCATED,
    "Each message of a prompt is several attributes, and what comes last is dropped.",
    "TRACELOOP_TRACE_CONTENT=false, or a higher OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "https://www.traceloop.com/docs/openllmetry/privacy/traces",
)
_NO_HOURS = Gap(
    Finding.LIBRARY_OMITS,
    "How many of the written tokens stay for an hour has no key: they are priced as written for"
    " 5 minutes.",
    providers=("anthropic", "aws.bedrock"),
)

OPENLLMETRY = (
    Library(
        name="OpenLLMetry for OpenAI",
        package="pypi:opentelemetry-instrumentation-openai",
        versions="0.33 to 0.62.4",
        scopes=(f"{_HERE}openai.*",),
        dialect="openllmetry",
        spans="`openai.chat`, `openai.response`, `openai.embeddings` are billed; `retrieve` of an"
        " answer makes a second span with the same response id",
        seen=(Seen(f"{_HERE}openai.v1", "0.62.4", "openai"),),
        cache=(_READ, _OLD_READ),
        gaps=(OPENAI_STREAMS, _AGENT, _TRUNCATED),
        evidence=(
            "golden/openllmetry/openai_responses.json",
            "golden/openllmetry/openai_before_renames.json",
            "golden/openllmetry/stream_without_usage.json",
            "integration/test_instrumented_library.py::openai",
        ),
    ),
    Library(
        name="OpenLLMetry for Anthropic",
        package="pypi:opentelemetry-instrumentation-anthropic",
        versions="0.40 to 0.62.4",
        scopes=(f"{_HERE}anthropic",),
        scope_version=_RELEASE,
        dialect="openllmetry",
        spans="`anthropic.chat` is billed",
        seen=(Seen(f"{_HERE}anthropic", "0.62.4", "anthropic"),),
        cache=(_READ, _WRITE, _OLD_READ, _OLD_WRITE),
        gaps=(
            ANTHROPIC_SDK_SPANS,
            Gap(
                Finding.NO_USAGE,
                "Streams that LangChain makes end without usage (0.62.4).",
                "openinference-instrumentation-langchain, or the SDK's own spans (anthropic 2.12 or"
                " later)",
            ),
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "Streams are 1 to 8 output tokens over: the first event's count is added to the"
                " last one's.",
                "the spans of the SDK itself (anthropic 2.12 or later)",
                "https://github.com/anthropics/anthropic-sdk-python",
            ),
            _NO_HOURS,
            _AGENT,
            _TRUNCATED,
        ),
        evidence=(
            "golden/openllmetry/anthropic_python.json",
            "integration/test_instrumented_library.py::anthropic",
            "integration/test_real_libraries.py::langchain-and-sdks",
        ),
    ),
    Library(
        name="OpenLLMetry for Bedrock",
        package="pypi:opentelemetry-instrumentation-bedrock",
        versions="0.40 to 0.62.4",
        scopes=(f"{_HERE}bedrock",),
        dialect="openllmetry",
        spans="`bedrock.converse`, `bedrock.completion` are billed",
        seen=(Seen(f"{_HERE}bedrock", "0.62.4", "aws.bedrock"),),
        cache=(_READ, _WRITE, _OLD_READ, _OLD_WRITE),
        gaps=(
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "The region is cut off the model's name, so a regional premium does not show.",
                "an alias of the model in a rate card, with its region",
            ),
            _NO_HOURS,
            _AGENT,
        ),
        evidence=("golden/openllmetry/bedrock_cached.json",),
    ),
    Library(
        name="OpenLLMetry for Gemini",
        package="pypi:opentelemetry-instrumentation-google-generativeai",
        versions="0.62.4",
        scopes=(f"{_HERE}google_generativeai", f"{_HERE}vertexai"),
        scope_version=_RELEASE,
        dialect="openllmetry",
        spans="`gemini.generate_content`, `vertexai.generate_content` are billed",
        seen=(
            Seen(f"{_HERE}google_generativeai", "0.62.4", "gcp.gemini"),
            Seen(f"{_HERE}vertexai", "0.62.4", "gcp.vertex_ai"),
        ),
        cache=(_READ,),
        gaps=(_AGENT,),
        evidence=(
            "golden/openllmetry/gemini_thoughts_in_total.json",
            "integration/test_real_libraries.py::google-genai-openllmetry",
        ),
    ),
    Library(
        name="OpenLLMetry for LlamaIndex",
        package="pypi:opentelemetry-instrumentation-llamaindex",
        versions="0.62.4",
        scopes=(f"{_HERE}llamaindex",),
        scope_version=_RELEASE,
        dialect="openllmetry",
        spans="spans of LLMs are billed; workflows and tasks frame them",
        seen=(Seen(f"{_HERE}llamaindex", "0.62.4", "anthropic"),),
        cache=(_READ, _WRITE),
        gaps=(_AGENT,),
        evidence=("golden/openllmetry/llamaindex_anthropic_raw.json",),
    ),
    Library(
        name="OpenLLMetry for LangChain",
        package="pypi:opentelemetry-instrumentation-langchain",
        versions="0.62.4",
        scopes=(f"{_HERE}langchain",),
        scope_version=_RELEASE,
        dialect="openllmetry",
        spans="`<model>.chat` is billed; `.workflow` and `.task` frame it",
        seen=(Seen(f"{_HERE}langchain", "0.62.4", "openai"),),
        cache=(_READ, _WRITE),
        gaps=(
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "0.62.4 writes 0 for tokens that Anthropic's cache stored, but for streams: the"
                " surcharge on them is missing.",
                "openinference-instrumentation-langchain, or LangSmith's export",
                providers=("anthropic", "aws.bedrock"),
            ),
            Gap(
                Finding.LIBRARY_OMITS,
                "0.62.4 has no key for reasoning tokens; they are inside of the output.",
            ),
            Gap(
                Finding.DOUBLED,
                "It silences OpenLLMetry's own package of the SDK, but for OpenAI's Responses API,"
                " and no other instrumentation.",
                "the instrumentation of LangChain or that of the SDK, not both:"
                " Traceloop.init(block_instruments={Instruments.OPENAI})",
                _DOCS,
            ),
            Gap(
                Finding.NO_USAGE,
                "langchain-openai asks for the usage of streams by itself only at OpenAI's own"
                " address.",
                "ChatOpenAI(stream_usage=True)",
                "https://reference.langchain.com/python/integrations/langchain_openai/",
            ),
            _AGENT,
        ),
        evidence=(
            "golden/openllmetry/langchain_explicit_zero.json",
            "golden/openllmetry/task_is_no_call.json",
            "integration/test_real_libraries.py::langchain-openllmetry",
        ),
    ),
    Library(
        name="OpenLLMetry for CrewAI",
        package="pypi:opentelemetry-instrumentation-crewai",
        versions="0.62.4",
        scopes=(f"{_HERE}crewai*",),
        dialect="openllmetry",
        spans="`<model>.llm` is billed; `<role>.agent` adds up all that the agent ever did",
        seen=(Seen(f"{_HERE}crewai.instrumentation", "0.36.0", "openai"),),
        gaps=(
            Gap(
                Finding.ONLY_AGGREGATES,
                "Without an instrumentation of the SDK the agent's own sum is the only usage.",
                "an instrumentation of the provider's SDK beside it",
            ),
        ),
        evidence=("golden/openllmetry/crew_agent_running_sum.json",),
    ),
    Library(
        name="OpenLLMetry for OpenAI Agents",
        package="pypi:opentelemetry-instrumentation-openai-agents",
        versions="0.62.4 with openai-agents 0.24.0",
        scopes=(f"{_HERE}openai_agents",),
        scope_version=_RELEASE,
        dialect="openllmetry",
        spans="`openai.response` is billed; workflows, agents and tools frame it",
        seen=(Seen(f"{_HERE}openai_agents", "0.62.4", "openai"),),
        cache=(_READ,),
        gaps=(
            Gap(
                Finding.NO_USAGE,
                "It reads the usage of the Responses API alone.",
                "the Responses API, which openai-agents uses by itself, or the instrumentation of"
                " OpenAI's SDK beside it",
            ),
        ),
        evidence=(
            "golden/openllmetry/openai_agents.json",
            "integration/test_real_libraries.py::openai-agents-openllmetry",
        ),
    ),
    Library(
        name="OpenLLMetry, other packages",
        package="pypi:traceloop-sdk",
        versions="0.62.4",
        scopes=(f"{_HERE}*",),
        scope_version=_RELEASE,
        dialect="openllmetry",
        spans="`llm.request.type` chat, completion, embedding, rerank are billed;"
        " `traceloop.span.kind` workflow, task, agent, tool frame them",
        seen=(Seen(f"{_HERE}cohere", "0.62.4", "cohere"),),
        cache=(_READ, _WRITE),
        gaps=(_AGENT, _TRUNCATED),
        evidence=("golden/openllmetry/cohere_old_names.json",),
    ),
    Library(
        name="OpenLLMetry (JavaScript)",
        package="npm:@traceloop/node-server-sdk",
        versions="0.27.0",
        scopes=("@traceloop/*",),
        dialect="openllmetry",
        spans="`openai.chat`, `anthropic.chat`, `bedrock.completion` are billed",
        seen=(
            Seen("@traceloop/instrumentation-anthropic", "0.27.0", "anthropic"),
            Seen("@traceloop/instrumentation-bedrock", "0.27.0", "aws.bedrock"),
            Seen("@traceloop/instrumentation-openai", "0.27.0", "openai"),
        ),
        cache=(_READ, _WRITE),
        gaps=(
            Gap(
                Finding.NO_USAGE,
                "Of streams of OpenAI it reads no usage, not even one that was asked for (0.27.0);"
                " embeddings make no span.",
                "@opentelemetry/instrumentation-openai in its place",
                providers=("openai",),
            ),
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "It has no key for OpenAI's cached tokens: they cost as much as the others.",
                "@arizeai/openinference-instrumentation-openai in its place",
                providers=("openai",),
            ),
            Gap(
                Finding.LIBRARY_OMITS,
                "0.27.0 makes @anthropic-ai/sdk 1.12 fail to load, 0.137 not.",
                "@anthropic-ai/sdk 0.137",
                providers=("anthropic",),
            ),
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "0.27.0 has no key for the cached tokens of Bedrock: they are not priced at all.",
                providers=("aws.bedrock",),
            ),
        ),
        evidence=(
            "golden/openllmetry/javascript_vertexai_thoughts.json",
            "golden/openllmetry/anthropic_javascript.json",
            "golden/openllmetry/javascript_bedrock.json",
            "golden/openllmetry/javascript_openai.json",
            "integration/test_real_libraries.py::javascript-openllmetry",
        ),
    ),
)
