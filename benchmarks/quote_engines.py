"""The engines that `quotes.py` compares, each run in a process of its own: prints one JSON line.

Imports nothing at the top: the process of one engine must not hold another.
"""

from __future__ import annotations

import gc
import importlib.metadata
import itertools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CASES = {
    "plain": "a known key, 3 buckets",
    "banded": "a known key, 6 buckets, with a long-context tier",
    "batch": "a known key, 3 buckets, in batch",
    "cold": "a key for the first time",
    "miss": "an unknown model, asked before",
    "miss_cold": "an unknown model for the first time",
}
FOOTPRINT = {
    "load_ms": "loading, CPU ms",
    "load_mib": "loading, MiB resident",
    "book_ms": "the price book alone, CPU ms",
}
_SECOND = 1e6
_AT = (2026, 11, 1, 12)


def best(call: Callable[[], object], number: int = 2000, repeats: int = 9) -> float:
    """CPU microseconds of one call, the least of several runs."""
    call()
    least = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        for _ in range(number):
            call()
        least = min(least, time.process_time() - begin)
    return least / number * _SECOND


def resident() -> float:
    """MiB of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def costspan() -> dict[str, float]:
    """Ours."""
    memory, begin = resident(), time.process_time()
    from datetime import UTC, datetime  # noqa: PLC0415  its import is part of the figure

    from costspan_pricing import Context, Pricer, Usage, load_book  # noqa: PLC0415

    imported = time.process_time()
    pricer = Pricer(load_book())
    loaded = time.process_time()
    figures = {
        "load_ms": (loaded - begin) * 1e3,
        "book_ms": (loaded - imported) * 1e3,
        "load_mib": resident() - memory,
    }
    at = datetime(*_AT, tzinfo=UTC)
    few = Usage({"input": 1000, "cache_read": 4000, "output": 100})
    many = Usage({"input": 1000, "cache_read": 4000, "cache_write_5m": 10, "cache_write_1h": 10,
                  "output": 100, "web_search": 1})  # fmt: skip
    plain = Context("openai", "gpt-4o", at, "default")
    banded = Context("anthropic", "claude-sonnet-4-5", datetime(2026, 3, 1, tzinfo=UTC))
    batch = Context("openai", "gpt-4o", at, "default", batch=True)
    unknown = Context("openai", "no-such-model", at)
    fresh = (Context("openai", f"no-such-{n}", at) for n in itertools.count())

    def cold() -> object:
        pricer.forget()
        return pricer.quote(few, plain)

    return figures | {
        "plain": best(lambda: pricer.quote(few, plain)),
        "banded": best(lambda: pricer.quote(many, banded)),
        "batch": best(lambda: pricer.quote(few, batch)),
        "cold": best(cold, 100),
        "miss": best(lambda: pricer.quote(few, unknown)),
        "miss_cold": best(lambda: pricer.quote(few, next(fresh)), 100),
    }


def genai() -> dict[str, float]:
    """genai-prices' calc_price; it looks the model up and prices it in one call."""
    memory, begin = resident(), time.process_time()
    from datetime import UTC, datetime  # noqa: PLC0415  its import is part of the figure

    from genai_prices import Usage, calc_price  # noqa: PLC0415

    figures = {
        "load_ms": (time.process_time() - begin) * 1e3,
        "load_mib": resident() - memory,
    }
    at = datetime(*_AT, tzinfo=UTC)
    few = Usage(input_tokens=5000, cache_read_tokens=4000, output_tokens=100)
    many = Usage(input_tokens=5020, cache_read_tokens=4000, cache_write_5m_tokens=10,
                 cache_write_1h_tokens=10, cache_write_tokens=20, output_tokens=100)  # fmt: skip

    def ask(usage: Any, provider: str, model: str, **more: Any) -> object:
        try:
            return calc_price(
                usage, model, provider_id=provider, genai_request_timestamp=at, **more
            )
        except LookupError:
            return None

    return figures | {
        "plain": best(lambda: ask(few, "openai", "gpt-4o"), 300),
        "banded": best(lambda: ask(many, "anthropic", "claude-sonnet-4-5"), 300),
        "batch": best(
            lambda: ask(few, "openai", "gpt-4o", price_context={"processing": "batch"}), 300
        ),
        "miss": best(lambda: ask(few, "openai", "no-such-model"), 300),
    }


def litellm() -> dict[str, float]:
    """LiteLLM's cost_per_token, with a Usage that is ready."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # no network
    memory, begin = resident(), time.process_time()
    from litellm import cost_per_token  # noqa: PLC0415  its import is part of the figure
    from litellm.types.utils import PromptTokensDetailsWrapper, Usage  # noqa: PLC0415

    figures = {
        "load_ms": (time.process_time() - begin) * 1e3,
        "load_mib": resident() - memory,
    }
    few = Usage(
        prompt_tokens=5000, completion_tokens=100, total_tokens=5100,
        prompt_tokens_details=PromptTokensDetailsWrapper(cached_tokens=4000),
    )  # fmt: skip
    many = Usage(
        prompt_tokens=5020, completion_tokens=100, total_tokens=5120,
        cache_creation_input_tokens=20, cache_read_input_tokens=4000,
    )  # fmt: skip

    def ask(usage: Any, provider: str, model: str, **more: Any) -> object:
        try:
            return cost_per_token(
                model=model, custom_llm_provider=provider, usage_object=usage, **more
            )
        except Exception:  # noqa: BLE001  its own error for an unknown model derives from Exception
            return None

    return figures | {
        "plain": best(lambda: ask(few, "openai", "gpt-4o"), 300),
        "banded": best(lambda: ask(many, "anthropic", "claude-sonnet-4-5"), 300),
        "batch": best(lambda: ask(few, "openai", "gpt-4o", service_tier="batch"), 300),
        "miss": best(lambda: ask(few, "openai", "no-such-model"), 300),
    }


ENGINES = {"costspan": costspan, "genai-prices": genai, "litellm": litellm}

if __name__ == "__main__":
    engine = sys.argv[1]
    print(f"{engine} {importlib.metadata.version(engine)}")
    print(json.dumps(ENGINES[engine]()))
