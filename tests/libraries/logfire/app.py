"""Both SDKs under Logfire, which exports by OTLP only."""

from __future__ import annotations

import logfire

from libraries.anthropic_calls import ANTHROPIC
from libraries.cases import serve
from libraries.openai_calls import OPENAI

if __name__ == "__main__":
    logfire.configure(send_to_logfire=False, console=False)
    logfire.instrument_openai()
    logfire.instrument_anthropic()
    serve({**OPENAI, **ANTHROPIC})
