"""The words of every application: which prompts it sends. A token is a character, for the stub."""

from __future__ import annotations

QUESTION = "What is six times seven?"
ANSWER = str(6 * 7)
PARAMETERS: dict[str, object] = {"type": "object", "properties": {"question": {"type": "string"}}}


def system(case: str) -> str:
    """A prompt of the case's own, long enough to be cached."""
    return f"In the case of {case} you answer with care. " * 50
