"""What a span did, and so whether it is a model call or repeats the calls below it. No numbers.

A convention may give usage to an agent span too (semantic-conventions 1.41 does), so what is billed
is decided by the operation and never by the presence of tokens.
"""

from __future__ import annotations

from functools import lru_cache

from costspan.dialect.layout import DIALECTS
from costspan.model import AGGREGATE, LEAF, TOKEN_COUNTER

_INFERENCE = {
    # gen_ai.operation.name, and what else is seen there
    "chat": "chat",
    "generate_content": "generate_content",
    "text_completion": "text_completion",
    "embeddings": "embeddings",
    "rerank": "rerank",
    "image_generation": "image_generation",
    "speech": "speech",
    "transcription": "transcription",
    "translation": "translation",  # of speech: Envoy AI Gateway 1.1
    "embedding": "embeddings",  # Spring AI, OpenInference EMBEDDING, llm.request.type
    "image": "image_generation",  # Spring AI
    "completion": "text_completion",  # llm.request.type
    "llm_call": "chat",  # Gemini CLI
    "llm": "chat",  # OpenInference LLM
    "reranker": "rerank",  # OpenInference RERANKER
}

# Their usage, if they have any, is that of the calls below them.
_ABOVE = {
    "create_agent": "create_agent",
    "invoke_agent": "invoke_agent",
    "invoke_workflow": "invoke_workflow",
    "execute_tool": "execute_tool",
    "plan": "plan",
    "agent_step": "agent_step",  # Vercel 7
    "retrieval": "retrieval",
    "create_memory": "create_memory",
    "create_memory_store": "create_memory_store",
    "search_memory": "search_memory",
    "update_memory": "update_memory",
    "upsert_memory": "upsert_memory",
    "delete_memory": "delete_memory",
    "delete_memory_store": "delete_memory_store",
    "agent": "invoke_agent",  # OpenInference AGENT, traceloop.span.kind
    "workflow": "invoke_workflow",  # traceloop.span.kind
    "tool": "execute_tool",
    "task": "task",
    "chain": "chain",  # OpenInference CHAIN, LangSmith
    "retriever": "retrieval",
    "guardrail": "guardrail",
    "evaluator": "evaluator",
    "prompt": "prompt",
    "decision": "decision",
    "framework": "framework",  # Spring AI's wrapper
    "unknown": "unknown",  # openai-agents-v2 0.1.0: workflow and turn spans
}

# No model is called for these, so whatever they count is never billed, not even in place of spans
# that never came.
_FREE = {
    "fetch_response": "fetch_response",  # repeats the usage of the call that made the response
    "count_tokens": "count_tokens",  # OpenTelemetry Go, anthropic-python
    "tokenize": "tokenize",  # Envoy AI Gateway
    "token_counter": "count_tokens",  # the same, as OpenInference
}

_ROLES = {
    **{name: each for dialect in DIALECTS for name, each in dialect.operations.items()},
    **{name: (canonical, LEAF) for name, canonical in _INFERENCE.items()},
    **{name: (canonical, AGGREGATE) for name, canonical in _ABOVE.items()},
    **{name: (canonical, TOKEN_COUNTER) for name, canonical in _FREE.items()},
}


_CALLS = frozenset(canonical for canonical, role in _ROLES.values() if role == LEAF)


@lru_cache(maxsize=1024)
def classify(operation: str, *other: str) -> tuple[str, str]:
    """(canonical operation, role) from what the span says, the GenAI name first, "" = nothing.

    Names that nobody knows are believed to be model calls of a kind that is new to us: usage that
    is not billed would be lost, a wrapper's is found by what lies below it.
    """
    stated = [name.lower() for name in (operation, *other) if name]
    for name in stated:
        if name in _ROLES:
            return _ROLES[name]
    return (stated[0] if stated else "", LEAF)


@lru_cache(maxsize=1024)
def by_name(scope: str, span: str) -> tuple[str, str]:
    """The same for a span that states no operation, from whose it is and its own name."""
    for dialect in DIALECTS:
        for named in dialect.names:
            if _is(named.scope, scope) and span.startswith(named.span):
                return named.operation, named.role
    return ("", LEAF)


def _is(pattern: str, scope: str) -> bool:
    prefix, starred, _ = pattern.partition("*")
    return scope.startswith(prefix) if starred else scope == prefix


def is_inference(operation: str) -> bool:
    """Whether a canonical operation is known to call a model."""
    return operation in _CALLS
