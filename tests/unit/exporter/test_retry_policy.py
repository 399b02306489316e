"""The waits between attempts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from costspan.exporter.retry import RetryPolicy


def longest(_low: float, high: float) -> float:
    return high


def test_the_upper_end_doubles_until_the_maximum() -> None:
    policy = RetryPolicy(initial=1, maximum=10, uniform=longest)

    assert [policy.delay(n) for n in range(1, 7)] == [1, 2, 4, 8, 10, 10]


@given(failures=st.integers(1, 10**9), after=st.floats(0, 1e6))
def test_a_wait_is_never_shorter_than_asked_nor_beyond_the_limits(
    failures: int, after: float
) -> None:
    policy = RetryPolicy()
    delay = policy.delay(failures, after)

    assert delay >= min(after, policy.longest_hint)
    assert delay <= max(policy.maximum, policy.longest_hint)


def test_jitter_is_the_whole_interval() -> None:
    drawn: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return low

    assert RetryPolicy(initial=2, uniform=draw).delay(2) == 0.0
    assert drawn == [(0.0, 4.0)]
