"""LangSmith's export to OpenTelemetry."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.shape import Gap, Library, Seen

LANGSMITH = (
    Library(
        name="LangSmith",
        package="pypi:langsmith",
        versions="0.4.0 to 0.15.0",
        scopes=("langsmith",),
        dialect="langsmith",
        spans="runs of kind llm and embedding are billed; chains, tools and parsers repeat them",
        seen=(Seen("langsmith", "", "openai"), Seen("langsmith", "", "anthropic")),
        cache=(
            "gen_ai.usage.input_token_details#/cache_read",
            "gen_ai.usage.input_token_details#/cache_creation",
            "langsmith.metadata.usage_metadata#/input_token_details/cache_read",
        ),
        gaps=(
            Gap(
                Finding.NO_USAGE,
                "langchain-openai asks for the usage of streams by itself only at OpenAI's own"
                " address.",
                "ChatOpenAI(stream_usage=True)",
                "https://reference.langchain.com/python/integrations/langchain_openai/",
            ),
            Gap(
                Finding.LIBRARY_OMITS,
                "The provider is guessed from the model's name where the metadata does not say it.",
                'metadata={"ls_provider": "..."} of the run',
                "https://docs.langchain.com/langsmith/trace-with-opentelemetry",
            ),
            Gap(
                Finding.TRUNCATED,
                "Cached tokens may stand in the outputs of the run alone, which are long.",
                "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT unset",
            ),
        ),
        evidence=(
            "golden/langsmith/model_run.json",
            "golden/langsmith/wrapped_client.json",
            "golden/langsmith/chain_repeats.json",
            "integration/test_real_libraries.py::langsmith",
        ),
    ),
)
