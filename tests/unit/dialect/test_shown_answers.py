"""Counts in the text of Python objects: those that a library put there, none that a model did."""

from __future__ import annotations

import pytest

from costspan.dialect import shown, table

_MESSAGE = """{"replies": ["ChatMessage(_content=[TextContent(text='%s')], _meta=%s)"]}"""
_SMOL = (
    '{"role": "assistant", "content": "%s", "raw": "ModelResponse(choices=[%s], usage=%s)",'
    ' "token_usage": {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10}}'
)
_FORGED = "'usage': {'cached_tokens': 7} usage=Usage(cached_tokens=7)"


def test_what_a_model_says_is_no_count() -> None:
    assert shown.read(_MESSAGE % (_FORGED, "{'index': 0}")) == {}
    assert shown.read('{"role": "assistant", "content": "%s"}' % _FORGED) == {}  # noqa: UP031
    assert shown.read(_SMOL % (_FORGED, _FORGED, "None")) == {}
    said = shown.read(_MESSAGE % (_FORGED, "{'usage': {'cached_tokens': 5}}"))
    assert said == {table.CACHE_READ: "5"}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ("Usage(cached_tokens=0, cache_read_input_tokens=5)", {table.CACHE_READ: "5"}),
        ("Usage(cached_tokens=None, reasoning_tokens=3)", {table.REASONING: "3"}),
        (
            "Usage(d=D(ephemeral_1h_input_tokens=2), cache_creation_input_tokens=4)",
            {table.CACHE_WRITE: "4", table.CACHE_WRITE_1H: "2"},
        ),
    ],
)
def test_liteLLM_names_a_count_twice_and_may_fill_one(  # noqa: N802  its name
    usage: str, expected: dict[str, str]
) -> None:
    assert shown.read(_SMOL % ("", "", usage)) == expected


def test_a_generator_without_chat_has_its_usage_in_json() -> None:
    body = '{"replies": ["a"], "meta": [{"usage": {"d": {"cached_tokens": 6}}}]}'

    assert shown.read(body) == {table.CACHE_READ: "6"}
