"""OpenAI's SDK under Langfuse's wrapper, which tells of its calls in observations of its own."""

from __future__ import annotations

import os

import langfuse
import langfuse.openai  # it takes the SDK's place by being imported

from libraries.cases import serve
from libraries.openai_calls import OPENAI

if __name__ == "__main__":
    langfuse.Langfuse(  # makes the global provider and exports to what it takes for its server
        base_url=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"],
        public_key="pk-none",
        secret_key="sk-none",
        should_export_span=lambda _: True,  # those of others too, so that no trace is torn
    )
    serve(OPENAI)
