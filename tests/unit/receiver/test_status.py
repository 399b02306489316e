"""The table of statuses: no row may make a client throw data away for a fault of ours."""

from __future__ import annotations

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from costspan.errors import (
    Draining,
    Full,
    Overloaded,
    Permanent,
    Retryable,
    TooLarge,
    Undecodable,
    UnsupportedFormat,
)
from costspan.receiver.status import verdict

Code = grpc.StatusCode


@pytest.mark.parametrize(
    ("error", "code", "http", "outcome"),
    [
        (Undecodable("no"), Code.INVALID_ARGUMENT, 400, "undecodable"),
        (Permanent("no"), Code.INVALID_ARGUMENT, 400, "undecodable"),
        (UnsupportedFormat("no"), Code.UNIMPLEMENTED, 415, "unsupported"),
        (TooLarge("no"), Code.RESOURCE_EXHAUSTED, 413, "too_large"),
        (Full("no"), Code.UNAVAILABLE, 503, "refused"),
        (Overloaded("no"), Code.UNAVAILABLE, 503, "refused"),
        (Draining("no"), Code.UNAVAILABLE, 503, "refused"),
        (ZeroDivisionError("no"), Code.UNAVAILABLE, 503, "fault"),
    ],
)
def test_each_verdict_has_its_row(
    error: Exception, code: grpc.StatusCode, http: int, outcome: str
) -> None:
    row = verdict(error)

    assert (row.code, row.http, row.outcome) == (code, http, outcome)


@given(st.sampled_from([Full, Overloaded, Draining, Retryable]), st.floats(0, 1e5))
def test_a_retryable_answer_carries_its_delay_in_both_trailers(
    kind: type[Retryable], after: float
) -> None:
    trailers = dict(verdict(kind("later", after)).trailers())
    status = Status.FromString(trailers["grpc-status-details-bin"])
    inside = RetryInfo.FromString(status.details[0].value)
    alone = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])

    assert status.code == Code.UNAVAILABLE.value[0]
    assert inside == alone
    delay = alone.retry_delay
    assert delay.seconds + delay.nanos / 1e9 == pytest.approx(after, abs=1e-6)


@pytest.mark.parametrize("error", [Undecodable("no"), TooLarge("no")])
def test_a_final_answer_asks_nobody_to_come_back(error: Exception) -> None:
    assert verdict(error).trailers() == ()
    assert not Status.FromString(verdict(error).status()).details


def test_a_fault_of_ours_keeps_its_inside_to_itself() -> None:
    assert "password" not in verdict(ValueError("password=x")).message
