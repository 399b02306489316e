"""MLflow's tracing, exported as OTLP."""

from __future__ import annotations

from costspan.doctor.finding import Finding
from costspan.doctor.libraries.shape import Gap, Library, Seen

_USAGE = "mlflow.chat.tokenUsage#/"
_SCOPE = "mlflow.tracing.provider"

MLFLOW = (
    Library(
        name="MLflow",
        package="pypi:mlflow-tracing",
        versions="3.0.0 to 3.17.2",
        scopes=("mlflow.*",),
        by_keys=True,
        dialect="mlflow",
        spans="Spans of the types CHAT_MODEL, LLM, EMBEDDING and RERANKER are billed; AGENT, CHAIN"
        " and the others repeat or frame them",
        seen=(
            Seen(_SCOPE, "", "openai"),
            Seen(_SCOPE, "", "anthropic"),
            Seen(_SCOPE, "", "gcp.gemini"),
        ),
        cache=(f"{_USAGE}cache_read_input_tokens", f"{_USAGE}cache_creation_input_tokens"),
        gaps=(
            Gap(
                Finding.NO_USAGE,
                "Anthropic's `messages.stream` and `create(stream=True)` leave no usage (3.17.2).",
                "",
                "",
                ("anthropic",),
            ),
            Gap(
                Finding.LIBRARY_OMITS,
                "With the names of the GenAI conventions the cached tokens get lost, and cost as"
                " much as the others.",
                "MLFLOW_ENABLE_OTEL_GENAI_SEMCONV=false",
                "https://mlflow.org/docs/latest/genai/tracing/opentelemetry/export/",
            ),
            Gap(
                Finding.CONVENTION_ASSUMED,
                "3.10 and 3.11 leave Anthropic's cached tokens out of the input, later ones count"
                " them in; only the answer in `mlflow.spanOutputs` tells which.",
                "do not filter the outputs of model spans out",
                "",
                ("anthropic",),
            ),
            Gap(
                Finding.LIBRARY_OMITS,
                "DSPy's modules state the usage of all their calls, its models none.",
            ),
        ),
        evidence=(
            "golden/mlflow/anthropic.json",
            "golden/mlflow/anthropic_3_10.json",
            "golden/mlflow/openai_3_5_answer.json",
            "golden/mlflow/gemini.json",
            "golden/mlflow/embedding.json",
            "golden/mlflow/genai_names.json",
            "integration/test_real_libraries.py::mlflow",
        ),
    ),
)
