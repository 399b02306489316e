"""Places in JSON documents: what is found, what is passed over, and what a document may cost."""

from __future__ import annotations

import json

import pytest

from costspan.dialect.documents import attribute, places, unfold
from costspan.model import Value

KEYS = ("plain", "doc#/a/b", "doc#/a/c", "doc#/d", "whole#")
PLACES = places(KEYS)


def found(value: Value, name: str = "doc") -> dict[str, Value]:
    """What the attribute says beside itself."""
    unfolded = unfold({name: value, "plain": 1}, (name,), PLACES)
    return {key: held for key, held in unfolded.items() if key not in (name, "plain")}


def test_a_key_names_its_attribute() -> None:
    assert [attribute(key) for key in KEYS] == ["plain", "doc", "doc", "doc", "whole"]
    assert set(PLACES) == {"doc", "whole"}


def test_members_are_found_at_any_depth() -> None:
    document = json.dumps({"a": {"b": 5, "c": "x", "else": 7}, "d": 0.5})

    assert found(document) == {"doc#/a/b": 5, "doc#/a/c": "x", "doc#/d": 0.5}


def test_a_document_may_be_one_value() -> None:
    """MLflow encodes every text."""
    assert found('"gpt-4o"', "whole") == {"whole#": "gpt-4o"}


def test_an_attribute_may_be_a_map_instead() -> None:
    assert found({"a": {"b": 5}}) == {"doc#/a/b": 5}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "b",
        '{"a": {"b"',
        "[1]",
        '{"a": [{"b": 1}]}',
        '{"a": {"b": null, "c": [1], "d": 1}}',
        '{"a": {"b": {"e": 1}}}',
        '{"a": "b", "b": 1}',
        '{"a": {"b": "\\ud800"}}\ud800',
        7,
        None,
        [1],
        b"{}",
    ],
)
def test_what_is_not_there_is_passed_over(value: Value) -> None:
    assert found(value) == {}


def test_deep_nesting_is_passed_over() -> None:
    assert found('{"b":' * 20_000 + "1" + "}" * 20_000) == {}


def test_a_document_beyond_the_limit_is_not_read() -> None:
    padding = "x" * (256 * 1024)

    assert found(json.dumps({"d": 1, "e": padding[:-100]})) == {"doc#/d": 1}
    assert found(json.dumps({"d": 1, "e": padding})) == {}


def test_attributes_themselves_stay_as_they_are() -> None:
    values: dict[str, Value] = {"doc": '{"d": 1}', "plain": 2}

    assert unfold(values, ("doc",), PLACES) == {**values, "doc#/d": 1}
    assert values == {"doc": '{"d": 1}', "plain": 2}
