"""Both SDKs under Logfire: by OTLP, or by its own exporter, which announces spans that begin."""

from __future__ import annotations

import os
from collections.abc import Callable

import logfire

from libraries.anthropic_calls import ANTHROPIC
from libraries.cases import serve
from libraries.openai_calls import OPENAI

_CASES = {**OPENAI, **ANTHROPIC}


def _own_exporter(token: str) -> None:
    """Where OTLP would go, as if that were Logfire."""
    here = os.environ.pop("OTEL_EXPORTER_OTLP_ENDPOINT")
    logfire.configure(token=token, console=False, advanced=logfire.AdvancedOptions(base_url=here))


def _flushed(case: Callable[[], None]) -> Callable[[], None]:
    """What is announced and ends before the next export is not sent: the trace's root is now."""

    def run() -> None:
        logfire.force_flush()
        case()

    return run


if __name__ == "__main__":
    if "LOGFIRE_TOKEN" in os.environ:
        _own_exporter(os.environ["LOGFIRE_TOKEN"])
    else:
        logfire.configure(send_to_logfire=False, console=False)
    logfire.instrument_openai()
    logfire.instrument_anthropic()
    serve({name: _flushed(case) for name, case in _CASES.items()})
