"""OpenInference (Arize), Python and JavaScript."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.common import ANTHROPIC_SDK_SPANS, OPENAI_STREAMS
from costspan.doctor.libraries.shape import Gap, Library, Seen

_HERE = "openinference.instrumentation."
_READ = "llm.token_count.prompt_details.cache_read"
_WRITE = "llm.token_count.prompt_details.cache_write"

_NO_TIER = Gap(
    Finding.LIBRARY_OMITS,
    "The response id and the service tier stand in the answer alone: hidden outputs hide them too.",
    "OPENINFERENCE_HIDE_OUTPUTS unset; OPENINFERENCE_HIDE_OUTPUT_TEXT hides the text alone",
    "https://arize.com/docs/phoenix/tracing/how-to-tracing/advanced/masking-span-attributes",
)
_AGENT = Gap(
    Finding.NO_AGENT,
    "The SDK's packages know of no agent.",
    'agent.name on a span above: tracer.start_as_current_span(..., attributes={"agent.name": ...})',
    "https://arize-ai.github.io/openinference/spec/semantic_conventions.html",
)

OPENINFERENCE = (
    Library(
        name="OpenInference for OpenAI",
        package="pypi:openinference-instrumentation-openai",
        versions="0.1.66",
        scopes=(f"{_HERE}openai",),
        dialect="openinference",
        spans="kinds LLM and EMBEDDING are billed",
        seen=(Seen(f"{_HERE}openai", "0.1.66", "openai"),),
        cache=(_READ,),
        gaps=(OPENAI_STREAMS, _NO_TIER, _AGENT),
        evidence=(
            "golden/openinference/openai_embedding.json",
            "golden/openinference/openai_tier_in_the_answer.json",
            "golden/openinference/stream_without_usage.json",
            "integration/test_openinference_library.py::openai",
        ),
    ),
    Library(
        name="OpenInference for Anthropic",
        package="pypi:openinference-instrumentation-anthropic",
        versions="3.1.0",
        scopes=(f"{_HERE}anthropic",),
        dialect="openinference",
        spans="kind LLM is billed",
        seen=(Seen(f"{_HERE}anthropic", "3.1.0", "anthropic"),),
        cache=(_READ, _WRITE),
        gaps=(ANTHROPIC_SDK_SPANS, _NO_TIER, _AGENT),
        evidence=(
            "golden/openinference/anthropic_write.json",
            "golden/openinference/anthropic_read.json",
            "golden/openinference/anthropic_hour_in_the_answer.json",
            "integration/test_openinference_library.py::anthropic",
        ),
    ),
    Library(
        name="OpenInference for Bedrock",
        package="pypi:openinference-instrumentation-bedrock",
        versions="0.1.40, 0.1.59, 0.1.60, 0.1.61",
        scopes=(f"{_HERE}bedrock",),
        dialect="openinference",
        spans="kind LLM is billed",
        seen=(
            Seen(f"{_HERE}bedrock", "0.1.59", "aws.bedrock", "claude", "bedrock.converse"),
            Seen(f"{_HERE}bedrock", "0.1.61", "aws.bedrock", "claude", "bedrock.converse"),
            Seen(f"{_HERE}bedrock", "0.1.61", "aws.bedrock", "nova", "bedrock.invoke_model"),
        ),
        cache=(_READ, _WRITE),
        gaps=(
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "Streams of InvokeModel with Claude count the cached tokens in the prompt and say"
                " no more of them: they are priced in full.",
                "the Converse API in place of InvokeModel",
                providers=("aws.bedrock",),
            ),
            Gap(
                Finding.LIBRARY_OMITS,
                "To 0.1.34 Converse does not say what of the prompt came from the cache, and leaves"
                " it out: it is not priced.",
                "0.1.40 or newer",
                providers=("aws.bedrock",),
            ),
            _AGENT,
        ),
        evidence=(
            "golden/openinference/bedrock_converse_folded.json",
            "golden/openinference/bedrock_converse_raw.json",
            "golden/openinference/nova_invoked_raw.json",
        ),
    ),
    Library(
        name="OpenInference for LangChain",
        package="pypi:openinference-instrumentation-langchain",
        versions="0.1.44, 0.1.80",
        scopes=(f"{_HERE}langchain",),
        dialect="openinference",
        spans="kind LLM is billed; CHAIN, AGENT and TOOL frame it",
        seen=(
            Seen(f"{_HERE}langchain", "0.1.44", "anthropic", "claude"),
            Seen(f"{_HERE}langchain", "0.1.80", "openai"),
        ),
        cache=(_READ, _WRITE),
        gaps=(
            Gap(
                Finding.NO_USAGE,
                "langchain-openai asks for the usage of streams by itself only at OpenAI's own"
                " address.",
                "ChatOpenAI(stream_usage=True)",
                "https://reference.langchain.com/python/integrations/langchain_openai/",
            ),
            Gap(
                Finding.DOUBLED,
                "LangChain's callbacks open no context, so an SDK's span is no child of it.",
                "the instrumentation of LangChain or that of the SDK, not both",
            ),
        ),
        evidence=(
            "integration/test_real_libraries.py::langchain-openinference",
            "integration/test_real_libraries.py::langchain-and-sdks",
            "golden/openinference/langchain_anthropic_raw.json",
            "golden/openinference/langchain_google_candidates.json",
        ),
    ),
    Library(
        name="OpenInference for the Claude Agent SDK",
        package="pypi:openinference-instrumentation-claude-agent-sdk",
        versions="0.1.22",
        scopes=(f"{_HERE}claude_agent_sdk",),
        dialect="openinference",
        spans="the agent's turn is the only span with usage: it is billed for want of another",
        seen=(Seen(f"{_HERE}claude_agent_sdk", "0.1.22", "anthropic"),),
        cache=(_READ, _WRITE),
        evidence=("golden/openinference/claude_agent_turn.json",),
    ),
    Library(
        name="OpenInference for Google Gen AI",
        package="pypi:openinference-instrumentation-google-genai",
        versions="0.1.3, 1.4.14",
        scopes=(f"{_HERE}google_genai",),
        dialect="openinference",
        spans="kind LLM is billed; to 0.1.8 the total shows the thoughts that the output lacks",
        seen=(
            Seen(f"{_HERE}google_genai", "0.1.3", "gcp.gemini"),
            Seen(f"{_HERE}google_genai", "1.4.14", "gcp.gemini"),
        ),
        cache=(_READ,),
        gaps=(_AGENT,),
        evidence=(
            "golden/openinference/google_thoughts.json",
            "golden/openinference/google_thoughts_in_the_total.json",
            "integration/test_real_libraries.py::google-genai-openinference",
            "integration/test_real_libraries.py::google-genai-doubled",
        ),
    ),
    Library(
        name="OpenInference for Google ADK",
        package="pypi:openinference-instrumentation-google-adk",
        versions="1.0.5",
        scopes=(f"{_HERE}google_adk",),
        dialect="openinference",
        spans="`call_llm` is billed; it has ADK's own counts as well, which fill gaps",
        seen=(Seen(f"{_HERE}google_adk", "1.0.5", "gcp.gemini"),),
        cache=(_READ,),
        evidence=("golden/openinference/google_adk_both_counts.json",),
    ),
    Library(
        name="OpenInference for CrewAI",
        package="pypi:openinference-instrumentation-crewai",
        versions="1.1.21",
        scopes=(f"{_HERE}crewai",),
        dialect="openinference",
        spans="`Crew.kickoff` has a total and nothing else; the LLM spans below it are billed",
        seen=(Seen(f"{_HERE}crewai", "1.1.21", "openai"),),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "CrewAI 1.15 calls the providers' SDKs itself: no span of the package tells of a"
                " model call. What a crew adds up counts twice a model that two agents share.",
                "the instrumentation of the provider's SDK beside it",
            ),
        ),
        evidence=("golden/openinference/crew_total_alone.json",),
    ),
    Library(
        name="OpenInference for LlamaIndex",
        package="pypi:openinference-instrumentation-llama-index",
        versions="4.6.1",
        scopes=(f"{_HERE}llama_index",),
        dialect="openinference",
        spans="kinds LLM and EMBEDDING with an answer are billed; `_prepare_chat_with_tools` has"
        " kind LLM and is no call",
        seen=(Seen(f"{_HERE}llama_index", "4.6.1", "openai"),),
        cache=(_READ,),
        evidence=(
            "golden/openinference/prepared_call.json",
            "integration/test_real_libraries.py::llama-index-openinference",
        ),
    ),
    Library(
        name="OpenInference for Agno",
        package="pypi:openinference-instrumentation-agno",
        versions="1.0.15",
        scopes=(f"{_HERE}agno",),
        dialect="openinference",
        spans="kind LLM is billed; AGENT and TOOL frame it",
        seen=(Seen(f"{_HERE}agno", "1.0.15", "anthropic", "claude"),),
        cache=(_READ, _WRITE),
        gaps=(
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "Of Google's models the output leaves the thoughts out, and no total has them.",
                providers=("gcp.gemini", "gcp.vertex_ai"),
            ),
        ),
        evidence=("golden/openinference/agno_anthropic_raw.json",),
    ),
    Library(
        name="OpenInference for LiteLLM",
        package="pypi:openinference-instrumentation-litellm",
        versions="0.1.30, 0.1.51",
        scopes=(f"{_HERE}litellm",),
        dialect="openinference",
        spans="kinds LLM and EMBEDDING are billed",
        seen=(Seen(f"{_HERE}litellm", "0.1.51", "openai"),),
        cache=(_READ, _WRITE),
        evidence=(
            "golden/openinference/cost_of_an_unknown_model.json",
            "golden/openinference/litellm_text_is_no_cache.json",
        ),
    ),
    Library(
        name="OpenInference for OpenAI Agents",
        package="pypi:openinference-instrumentation-openai-agents",
        versions="2.6.0 with openai-agents 0.24.0",
        scopes=(f"{_HERE}openai_agents",),
        dialect="openinference",
        spans="`response` and `generation` (kind LLM) are billed; AGENT, CHAIN and TOOL frame them",
        seen=(Seen(f"{_HERE}openai_agents", "2.6.0", "openai"),),
        cache=(_READ,),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "Of chat completions it has two counts: cached tokens cost as much as the others.",
                "the Responses API, which openai-agents uses by itself, or the instrumentation of"
                " OpenAI's SDK beside it",
            ),
            Gap(
                Finding.NO_USAGE,
                "Streamed chat completions state no usage unless the agent asks for it.",
                "ModelSettings(include_usage=True)",
            ),
        ),
        evidence=(
            "golden/openinference/openai_agents_generation.json",
            "integration/test_real_libraries.py::openai-agents-openinference",
            "integration/test_real_libraries.py::openai-agents-and-sdk",
        ),
    ),
    Library(
        name="OpenInference, other packages",
        package="pypi:openinference-instrumentation",
        versions="0.1.72",
        scopes=(f"{_HERE}*",),
        dialect="openinference",
        spans="kinds LLM, EMBEDDING and RERANKER are billed; all others frame them",
        seen=(Seen(f"{_HERE}groq", "0.1.0", "groq"),),
        cache=(_READ, _WRITE),
        evidence=(
            "golden/openinference/both_families.json",
            "golden/openinference/failed_call.json",
        ),
    ),
    Library(
        name="OpenInference for LangChain (JavaScript)",
        package="npm:@arizeai/openinference-instrumentation-langchain",
        versions="4.1.1 with langchain 1.5.14",
        scopes=("@arizeai/openinference-instrumentation-langchain",),
        dialect="openinference",
        spans="kind LLM is billed; CHAIN, AGENT and TOOL frame it",
        seen=(Seen("@arizeai/openinference-instrumentation-langchain", "4.1.1", "openai"),),
        cache=(_READ,),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "Tokens that Anthropic's cache stored are read from LangChain's result in"
                " `output.value`: hidden or cut, they are priced as uncached.",
                "do not hide outputs",
                providers=("anthropic", "aws.bedrock"),
            ),
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "Of Anthropic's streams the first guess of the output, a few tokens, is added to"
                " the final count (@langchain/anthropic 1.5.11).",
                providers=("anthropic",),
            ),
            Gap(Finding.NO_PROVIDER, "No key names a provider; the model has to tell it."),
        ),
        evidence=(
            "golden/openinference/langchain_javascript_write.json",
            "integration/test_real_libraries.py::javascript-langchain",
        ),
    ),
    Library(
        name="OpenInference (JavaScript)",
        package="npm:@arizeai/openinference-instrumentation-anthropic",
        versions="0.2.8, 4.2.7 of the one for OpenAI, 0.5.1 of Bedrock's",
        scopes=("@arizeai/*",),
        dialect="openinference",
        spans="kinds LLM, EMBEDDING and RERANKER are billed",
        seen=(
            Seen("@arizeai/openinference-instrumentation-anthropic", "0.2.8", "anthropic"),
            Seen("@arizeai/openinference-instrumentation-openai", "4.2.7", "openai"),
            Seen("@arizeai/openinference-instrumentation-bedrock", "0.5.1", "aws.bedrock"),
        ),
        cache=(_READ, _WRITE),
        gaps=(
            Gap(
                Finding.NO_USAGE,
                "Of streamed chat completions it reads no usage, not even one that was asked for"
                " (4.2.7); embeddings have none.",
                "the Responses API, or @opentelemetry/instrumentation-openai in its place",
                providers=("openai",),
            ),
            Gap(
                Finding.LIBRARY_OMITS,
                "Bedrock's Converse does not say what of the prompt came from the cache, and leaves"
                " it out (0.5.1): it is not priced.",
                providers=("aws.bedrock",),
            ),
        ),
        evidence=(
            "golden/openinference/javascript_bedrock_invoked_raw.json",
            "golden/openinference/javascript_anthropic.json",
            "integration/test_real_libraries.py::javascript-openinference",
        ),
    ),
)
