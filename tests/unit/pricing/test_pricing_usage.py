"""Usage: disjoint buckets, checked and never clamped."""

from typing import Any

import pytest

from costspan_pricing import InvalidUsage, Unit, Usage


def test_zeros_are_no_buckets() -> None:
    assert Usage({"input": 5, "cache_read": 0}).counts == {Unit.INPUT: 5}


def test_an_inclusive_prompt_loses_its_parts() -> None:
    usage = Usage.from_inclusive(
        input=1000, output=200, cache_read=600, cache_write_1h=100, audio_input=50, reasoning=80
    )

    assert usage == Usage(
        {"input": 250, "output": 200, "cache_read": 600, "cache_write_1h": 100, "audio_input": 50,
         "reasoning": 80}
    )  # fmt: skip


def test_an_inclusive_completion_loses_audio_but_keeps_reasoning() -> None:
    usage = Usage.from_inclusive(input=1, output=200, audio_output=150, reasoning=40)

    assert (usage.get(Unit.OUTPUT), usage.get(Unit.REASONING)) == (50, 40)


def test_an_exclusive_prompt_is_taken_as_it_is() -> None:
    usage = Usage.from_exclusive(input=10, output=3, cache_read=90, cache_write_5m=4)

    assert usage.get(Unit.INPUT) == 10
    assert usage.prompt == 104


@pytest.mark.parametrize(
    "buckets",
    [
        {"input": -1},
        {"input": 1.0},
        {"input": "7"},
        {"input": True},
        {"input": None},
        {"prompt_tokens": 1},
        {"output": 3, "reasoning": 4},
        {"reasoning": 1},
    ],
)
def test_what_is_no_count_is_refused(buckets: Any) -> None:
    with pytest.raises(InvalidUsage):
        Usage(buckets)


@pytest.mark.parametrize(
    "counts",
    [
        {"input": 10, "cache_read": 11},
        {"input": 10, "cache_read": 6, "cache_write_5m": 5},
        {"output": 10, "audio_output": 11},
        {"input": 10, "cache_read": -5},
        {"input": 10, "cache_read": "5"},
        {"input": -10},
        {"input": 10, "no_such_bucket": 1},
    ],
)
def test_an_inclusive_count_that_contradicts_itself_is_refused(counts: Any) -> None:
    with pytest.raises(InvalidUsage):
        Usage.from_inclusive(**counts)


def test_a_fault_says_what_was_expected_and_seen() -> None:
    with pytest.raises(InvalidUsage, match=r"cache_read 11 lie inside input \(10\)"):
        Usage.from_inclusive(input=10, cache_read=11)
    with pytest.raises(InvalidUsage, match=r"output: expected a count of 0 or more, got -2"):
        Usage({"output": -2})
