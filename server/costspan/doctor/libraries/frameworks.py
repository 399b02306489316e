"""Frameworks of agents: AG2's own spans, and others that OpenInference tells of."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.common import OPENAI_STREAMS
from costspan.doctor.libraries.shape import Gap, Library, Seen

_OI = "openinference.instrumentation."
_AG2 = "opentelemetry.instrumentation.ag2"
_SDK_TOO = "the instrumentation of the provider's SDK beside it"

FRAMEWORKS = (
    Library(
        name="AG2 before 1.0",
        package="pypi:ag2",
        versions="0.14.0",
        scopes=(_AG2,),
        scope_version=r"0\..*",
        dialect="ag2",
        spans="`chat` is billed; a conversation adds up what its agents' clients ever used",
        seen=(Seen(_AG2, "0.14.0", "openai"),),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "Cached tokens are left out: of Anthropic's they are missing, of OpenAI's they"
                " count as uncached.",
                _SDK_TOO,
            ),
        ),
        evidence=("golden/ag2/conversation_of_0_14.json",),
    ),
    Library(
        name="AG2",
        package="pypi:ag2",
        versions="1.2.1",
        scopes=(_AG2,),
        dialect="ag2",
        spans="`chat`, `record_usage compaction` and `record_usage aggregation` are billed;"
        " `record_usage model_call` repeats the chat beside it, `record_usage subtask` what a"
        " sub-agent's own spans say, if it has any",
        seen=(
            Seen(_AG2, "", "anthropic"),
            Seen(_AG2, "", "openai"),
            Seen(_AG2, "", "gcp.gemini"),
        ),
        cache=("gen_ai.usage.cache_read_input_tokens", "gen_ai.usage.cache_creation_input_tokens"),
        gaps=(
            Gap(
                Finding.ONLY_AGGREGATES,
                "A sub-agent without telemetry of its own is one sum, without a model if it used"
                " several.",
                "TelemetryMiddleware on the sub-agents as well",
            ),
            Gap(Finding.LIBRARY_OMITS, "No id of a response; the model asked for is not stated."),
        ),
        evidence=(
            "golden/ag2/anthropic_cached.json",
            "golden/ag2/openai_cached.json",
            "golden/ag2/account_of_a_call.json",
            "golden/ag2/account_of_a_sub_agent.json",
            "integration/test_real_libraries.py::ag2",
            "integration/test_real_libraries.py::ag2-and-sdk",
        ),
    ),
    Library(
        name="OpenInference for AutoGen",
        package="pypi:openinference-instrumentation-autogen-agentchat",
        versions="0.1.22 with autogen-agentchat 0.7.5",
        scopes=(f"{_OI}autogen_agentchat",),
        dialect="openinference",
        spans="kind LLM is billed; AutoGen's own spans (`autogen-core`) have no usage",
        seen=(Seen(f"{_OI}autogen_agentchat", "0.1.22", "openai"),),
        gaps=(
            OPENAI_STREAMS,
            Gap(Finding.LIBRARY_OMITS, "Cached tokens are not told from others.", _SDK_TOO),
            Gap(
                Finding.LIBRARY_OMITS,
                "AutoGen's client of Anthropic makes no span.",
                _SDK_TOO,
                providers=("anthropic",),
            ),
        ),
        evidence=(
            "golden/openinference/autogen_agentchat.json",
            "integration/test_real_libraries.py::autogen-openinference",
        ),
    ),
    Library(
        name="OpenInference for smolagents",
        package="pypi:openinference-instrumentation-smolagents",
        versions="0.1.43 with smolagents 1.26.0",
        scopes=(f"{_OI}smolagents",),
        dialect="openinference",
        spans="kind LLM is billed; the run repeats what the monitor added up",
        seen=(Seen(f"{_OI}smolagents", "0.1.43", "openai"),),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "Cached tokens are read from the answer in `output.value`, which streams and"
                " hidden outputs do not have.",
                _SDK_TOO,
            ),
        ),
        evidence=(
            "golden/openinference/smolagents_cached.json",
            "golden/openinference/smolagents_run.json",
            "integration/test_real_libraries.py::smolagents-openinference",
        ),
    ),
    Library(
        name="OpenInference for Haystack",
        package="pypi:openinference-instrumentation-haystack",
        versions="0.1.46 with haystack-ai 3.4.1",
        scopes=(f"{_OI}haystack",),
        dialect="openinference",
        spans="generators are billed; a pipeline frames them; agents and embedders make no span",
        seen=(Seen(f"{_OI}haystack", "0.1.46", "openai"),),
        gaps=(
            OPENAI_STREAMS,
            Gap(
                Finding.LIBRARY_OMITS,
                "Cached tokens are read from the answer in `output.value`, which hidden outputs do"
                " not have.",
                _SDK_TOO,
            ),
            Gap(
                Finding.SEVERAL_ROOTS,
                "An agent makes no span: without one of the application's own around it each of"
                " its calls is a trace.",
            ),
        ),
        evidence=(
            "golden/openinference/haystack_cached.json",
            "golden/openinference/haystack_bedrock_raw.json",
            "integration/test_real_libraries.py::haystack-openinference",
        ),
    ),
    Library(
        name="OpenInference for DSPy",
        package="pypi:openinference-instrumentation-dspy",
        versions="0.1.48 with dspy 3.4.1",
        scopes=(f"{_OI}dspy",),
        dialect="openinference",
        spans="none is billed: no span has usage, and an answer of DSPy's own cache makes the same",
        seen=(Seen(f"{_OI}dspy", "0.1.48", "openai"),),
        gaps=(
            Gap(
                Finding.LIBRARY_OMITS,
                "No span has usage.",
                "openinference-instrumentation-litellm beside it: DSPy calls LiteLLM",
            ),
        ),
        evidence=("golden/openinference/dspy_without_usage.json",),
    ),
)
