"""Prices worked out by hand from published pages, one JSON object a line in <provider>.jsonl.

A vector is never written from our own output: `source` is the page, `why` what the case is for.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from costspan_pricing import Context, InvalidUsage, Pricer, Usage, format_usd, load_book

HERE = Path(__file__).parent
PRICER = Pricer(load_book())
FIELDS = {"id", "why", "source", "provider", "model", "at", "usage", "context", "expect"}


def vectors() -> Iterator[Any]:
    for file in sorted(HERE.glob("*.jsonl")):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if line.strip():
                vector = json.loads(line)
                yield pytest.param(vector, id=f"{file.stem}-{vector.get('id', number)}")


def answer(vector: Mapping[str, Any]) -> dict[str, str]:
    """What the pricer says, in the words of `expect`."""
    at = datetime.fromisoformat(vector["at"])
    context = Context(vector["provider"], vector["model"], at, **vector.get("context", {}))
    try:
        usage = Usage(vector["usage"])
    except InvalidUsage:
        return {"status": "invalid_usage"}
    quote = PRICER.quote(usage, context)
    if quote.total is None:
        return {"reason": str(quote.reason)}
    return {"usd": format_usd(quote.total)}


@pytest.mark.parametrize("vector", [*vectors()])
def test_a_published_price_to_the_last_digit(vector: dict[str, Any]) -> None:
    assert answer(vector) == vector["expect"], vector["why"]


def test_every_vector_names_its_source() -> None:
    for case in vectors():
        (vector,) = case.values
        assert FIELDS - {"context"} <= vector.keys() <= FIELDS, case.id
        sources = vector["source"] if isinstance(vector["source"], list) else [vector["source"]]
        assert all(source.startswith("https://") for source in sources), case.id


def test_no_two_vectors_have_the_same_name() -> None:
    names = [vector.id for vector in vectors()]

    assert len(names) == len(set(names))
