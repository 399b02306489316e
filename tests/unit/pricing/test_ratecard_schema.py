"""The JSON Schema takes what the reader takes, and refuses a key that the reader refuses."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from costspan_pricing.ratecard.schema import json_schema
from ratecards import EXAMPLES, HEAD, as_editors_read

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def told(value: Any) -> list[str]:
    """The paths of what the schema refuses."""
    return [error.json_path for error in VALIDATOR.iter_errors(value)]


def refused(body: str) -> bool:
    return bool(told(as_editors_read(HEAD + body)))


def descriptions(schema: Any) -> list[Any]:
    """That of every key, None where there is none."""
    if isinstance(schema, list):
        return [text for each in schema for text in descriptions(each)]
    if not isinstance(schema, dict):
        return []
    own = [each.get("description") for each in schema.get("properties", {}).values()]
    return own + [text for each in schema.values() for text in descriptions(each)]


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_key_has_a_sentence() -> None:
    texts = descriptions(SCHEMA)

    assert len(texts) > 100
    assert all(text and text.endswith((".", "...")) for text in texts), texts


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_valid(path: Path) -> None:
    assert told(as_editors_read(path.read_text())) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_typo_in_any_key_of_an_example_is_refused(path: Path) -> None:
    """But for the names of attributes, which are the customer's own."""
    whole = as_editors_read(path.read_text())
    passed = []
    for keys in _places(whole):
        if "resource" in keys[:-1]:
            continue
        damaged = deepcopy(whole)
        holder = damaged
        for key in keys[:-1]:
            holder = holder[key]
        first, colon, rest = str(keys[-1]).partition(":")
        holder[f"{first}x{colon}{rest}"] = holder.pop(keys[-1])
        if not told(damaged):
            passed.append(keys)

    assert passed == []


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, list):
        return [p for index, each in enumerate(value) for p in _places(each, (*path, index))]
    if not isinstance(value, dict):
        return []
    own = [(*path, key) for key in value]
    return own + [p for key, each in value.items() for p in _places(each, (*path, key))]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "revision: 7",
        "rates:",
        "effective: {from: 2026-01-01, to: '2026-07-01T00:00:00+02:00'}",
        "discounts: [{match: {}, multiplier: 0.9, applies_to: [tokens, web_search], stack: true}]",
        "discounts: [{match: {}, multiplier: '10'}]",
        "rates: [{match: {}, usd_per_mtok: {input: 3, output: '2.5e-1'}}]",
        "rates: [{match: {}, usd_per_hour: {audio_seconds: '0.3'}, context: {batch:true: 1}}]",
        "aliases: [{model: [a, b], sku: openai/ft:gpt-4.1-mini, context: {batch: true}}]",
    ],
)
def test_what_the_reader_takes_is_valid(body: str) -> None:
    assert not refused(body)


@pytest.mark.parametrize(
    "body",
    [
        "currency: EUR",
        "apiVersion: ratecard/v2",
        "id: a b",
        "effective: {from: 2026-07-01T00:00:00}",
        "effective: {from: July}",
        "list: {min_date: 2026-11}",
        "rates: {}",
        "rates: [{usd_per_mtok: {input: 3}}]",
        "rates: [{match: {}, usd_per_mtok: {input: '$3'}}]",
        "rates: [{match: {}, usd_per_mtok: {input: '3 USD'}}]",
        "rates: [{match: {}, usd_per_mtok: {input: '1,5'}}]",
        "rates: [{match: {}, usd_per_mtok: {input: -3}}]",
        "rates: [{match: {}, usd_per_mtok: {input: NaN}}]",
        "rates: [{match: {}, usd_per_mtok: {web_search: 3}}]",
        "rates: [{match: {}, usd_per_mtok: {input: 3}, long_context: {over: 0}}]",
        "rates: [{match: {}, usd_per_mtok: {input: 3}, context: {gee:us: 1}}]",
        "rates: [{match: {}, usd_per_mtok: {input: 3}, context: {'geo:*': 1}}]",
        "discounts: [{match: {}, multiplier: 0}]",
        "discounts: [{match: {}, multiplier: '0.0'}]",
        "discounts: [{match: {}, multiplier: '10.5'}]",
        "discounts: [{match: {}, multiplier: 11}]",
        "discounts: [{match: {}, multiplier: 1, applies_to: token}]",
        "discounts: [{match: {}, multiplier: 1, stack: maybe}]",
        "discounts: [{match: {provider: '*'}, multiplier: 1}]",
        "discounts: [{match: {model: []}, multiplier: 1}]",
        "aliases: [{model: a, sku: gpt-4o}]",
        "aliases: [{model: a}]",
        "meters: [{name: a, unit: b}]",
        "unpriced: {policy: guess}",
        "unpriced: {}",
    ],
)
def test_what_the_reader_refuses_on_one_key_is_invalid(body: str) -> None:
    assert refused(body if "apiVersion" not in body else body + "\nid: b")
