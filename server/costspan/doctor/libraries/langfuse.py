"""Langfuse's SDKs, in Python and JavaScript."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.common import OPENAI_STREAMS
from costspan.doctor.libraries.shape import Gap, Library, Seen

_USAGE = "langfuse.observation.usage_details#/"

LANGFUSE = (
    Library(
        name="Langfuse SDK",
        package="pypi:langfuse",
        versions="3.0.0, 4.0.0 and 5.0.4; npm:@langfuse/* 5.11.1",
        scopes=("langfuse-sdk",),
        by_keys=True,
        dialect="langfuse",
        spans="Observations of the types `generation` and `embedding` are billed; the others frame"
        " them",
        seen=(Seen("langfuse-sdk", "5.0.4", "openai"), Seen("langfuse-sdk", "5.0.4", "anthropic")),
        cache=(
            f"{_USAGE}input_cache_read",
            f"{_USAGE}input_cached_tokens",
            f"{_USAGE}cache_read_input_tokens",
            f"{_USAGE}cache_creation_input_tokens",
            f"{_USAGE}prompt_tokens_details/cached_tokens",
        ),
        gaps=(
            OPENAI_STREAMS,
            Gap(Finding.NO_USAGE, "Embeddings in JavaScript have no usage (5.11.1)."),
            Gap(Finding.NO_PROVIDER, "No span names a provider; the model has to tell it."),
            Gap(
                Finding.LIBRARY_OMITS,
                "An agent's name is its span's only, and a trace's name is no workflow's.",
            ),
            Gap(
                Finding.LIBRARY_MISCOUNTS,
                "Usage that an application states itself is read as Langfuse prices it: `input`"
                " must not contain the cached tokens that have a bucket of their own.",
                "`input` without them, or OpenAI's names with their details",
                "https://langfuse.com/docs/model-usage-and-cost",
            ),
        ),
        evidence=(
            "golden/langfuse/langchain_openai.json",
            "golden/langfuse/langchain_anthropic.json",
            "golden/langfuse/openai_wrapper.json",
            "golden/langfuse/openai_javascript.json",
            "golden/langfuse/flex_tier.json",
            "integration/test_real_libraries.py::langfuse-openai",
            "integration/test_real_libraries.py::javascript-langfuse",
        ),
    ),
)
