"""Both SDKs under OpenLIT."""

from __future__ import annotations

from pathlib import Path

import openlit

from libraries.anthropic_calls import ANTHROPIC
from libraries.cases import exporting, serve
from libraries.openai_calls import OPENAI

if __name__ == "__main__":
    exporting()  # OpenLIT takes a provider that is there
    openlit.init(
        pricing_json=str(Path(__file__).with_name("prices.json")),
        disable_metrics=True,
        disable_events=True,
    )
    serve({**OPENAI, **ANTHROPIC})
