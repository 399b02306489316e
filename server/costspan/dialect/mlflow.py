"""MLflow: every attribute is JSON, also a text. Usage of a span, never that of a trace.

From mlflow-tracing 3.0.0, 3.5.0, 3.10.0, 3.12.0 and 3.17.2 (`tracing/constant.py`, the autologs).
Cached tokens are told since 3.10, and are part of the input since 3.12: before, Anthropic's were
not. No scope has a version, so the API's own answer beside it is what tells. Gemini's output is
that of its candidates: the thoughts are in Google's total. With MLFLOW_ENABLE_OTEL_GENAI_SEMCONV
the names are GenAI's, and the cached tokens get lost.
"""

from __future__ import annotations

from costspan.dialect import table
from costspan.dialect.table import IN_TOTAL, INCLUSIVE, Arguments, Dialect, Emitter
from costspan.model import AGGREGATE, LEAF

_USAGE = "mlflow.chat.tokenUsage#/"
_COST = "mlflow.llm.cost#/"
_INPUTS, _OUTPUTS = "mlflow.spanInputs", "mlflow.spanOutputs"

_ANSWERED = f"{_OUTPUTS}#/usage/"  # the API's own usage: it has what the first places leave out

_COUNTS = {
    table.INPUT: (
        f"{_USAGE}input_tokens",
        f"{_ANSWERED}prompt_tokens",  # embeddings have no other place
    ),
    table.OUTPUT: (f"{_USAGE}output_tokens",),
    table.TOTAL: (f"{_USAGE}total_tokens",),
    table.CACHE_READ: (
        f"{_USAGE}cache_read_input_tokens",
        f"{_ANSWERED}cache_read_input_tokens",
        f"{_ANSWERED}prompt_tokens_details/cached_tokens",
        f"{_ANSWERED}input_tokens_details/cached_tokens",
    ),
    table.CACHE_WRITE: (
        f"{_USAGE}cache_creation_input_tokens",
        f"{_ANSWERED}cache_creation_input_tokens",
    ),
    table.CACHE_WRITE_1H: (
        f"{_USAGE}cache_creation_input_tokens_above_1hr",
        f"{_ANSWERED}cache_creation/ephemeral_1h_input_tokens",
    ),
    table.REASONING: (
        f"{_ANSWERED}completion_tokens_details/reasoning_tokens",
        f"{_ANSWERED}output_tokens_details/reasoning_tokens",
        f"{_ANSWERED}output_tokens_details/thinking_tokens",
    ),
}

_TEXTS = {
    table.OPERATION: ("mlflow.spanType#",),
    table.PROVIDER: ("mlflow.llm.provider#",),
    # 3.5 and before have no key for the model.
    table.REQUEST_MODEL: (
        "mlflow.llm.model#",
        f"{_INPUTS}#/model",
        f"{_INPUTS}#/modelId",  # Bedrock
        "invocation_params#/model",  # LangChain
        "invocation_params#/model_name",
    ),
    table.RESPONSE_MODEL: (f"{_OUTPUTS}#/model",),
    table.RESPONSE_BODY: (_OUTPUTS,),
    table.COST: (f"{_COST}total_cost",),
}

_SIGNS = frozenset({"mlflow.spanType", "mlflow.chat.tokenUsage"})

_EMITTERS = (Emitter("mlflow.*", INCLUSIVE, reasoning=IN_TOTAL),)

# The other types (LLM, EMBEDDING, RERANKER, AGENT, CHAIN, TOOL, RETRIEVER, PARSER, WORKFLOW, TASK,
# GUARDRAIL, EVALUATOR, UNKNOWN) are shared names.
_OPERATIONS = {"chat_model": ("chat", LEAF), "memory": ("memory", AGGREGATE)}

# Long, so it is found fast; spans of embeddings have no other key of usage.
_MARKERS = (b"mlflow.spanOutputs",)

MLFLOW = Dialect(
    *("mlflow", _COUNTS, _TEXTS, _SIGNS, _EMITTERS, _OPERATIONS),
    arguments=(Arguments(_INPUTS),),  # the spans of calls are read for it too
    markers=_MARKERS,
)
