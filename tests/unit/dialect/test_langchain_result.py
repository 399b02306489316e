"""Counts in LangChain's result: those of the API, and nothing of a result that is another's."""

from __future__ import annotations

import json

import pytest

from costspan.dialect import answer, table


def result(message: object) -> str:
    """As LangChain for JavaScript serialises it."""
    body = {"generations": [[{"text": "hi", "message": {"kwargs": message}}]]}
    return json.dumps(body, separators=(",", ":"))


def test_what_was_written_and_the_id_are_read() -> None:
    counts = {"input_token_details": {"cache_creation": 5}}

    assert answer.read(result({"id": "msg_1", "usage_metadata": counts})) == {
        table.RESPONSE_ID: "msg_1",
        table.CACHE_WRITE: "5",
    }


@pytest.mark.parametrize(
    "message",
    [
        {"id": "run-1"},
        {"usage_metadata": {"input_token_details": {"cache_creation": 0}}},
        {"usage_metadata": {"input_token_details": {"cache_creation": -1}}},
        {"usage_metadata": {"input_token_details": {"cache_creation": "5"}}},
        {"content": '"usage_metadata":{"input_token_details":{"cache_creation":5}}'},
        {"usage_metadata": None, "response_metadata": {"usage": None}},
    ],
)
def test_other_ids_and_counts_that_are_none_say_nothing(message: object) -> None:
    assert answer.read(result(message)) == {}


def test_a_result_that_is_cut_or_empty_says_nothing() -> None:
    whole = result({"id": "msg_1"})

    assert answer.read(whole[:-5]) == {}
    assert answer.read('{"generations":[[]]}') == {}
