"""One request's way in: whatever the line raises, a verdict comes back and is counted."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.errors import Full, Permanent, Retryable, TooLarge, Undecodable
from costspan.model import TRACES, Metadata
from costspan.receiver.door import Door
from costspan.telemetry import Telemetry


def door_to(error: Exception | None, **more: frozenset[str]) -> tuple[Door, list[Metadata]]:
    seen: list[Metadata] = []

    def accept(_signal: str, _body: bytes, metadata: Metadata, _transport: str) -> None:
        seen.append(metadata)
        if error is not None:
            raise error

    return Door("grpc", accept, Telemetry(), "me", **more), seen


ERRORS = [
    Undecodable("x"),
    TooLarge("x"),
    Full("x"),
    Permanent("x"),
    Retryable("x"),
    ValueError("x"),
    MemoryError(),
    RecursionError(),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_is_raised_becomes_a_counted_verdict(error: Exception) -> None:
    logging.disable(logging.CRITICAL)
    door, _ = door_to(error)
    refusal = door.enter(TRACES, b"", [])
    logging.disable(logging.NOTSET)

    assert refusal is not None
    assert door.telemetry.requests.exact("grpc", TRACES, refusal.outcome) == 1


def test_a_fault_of_ours_is_logged_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    door_to(ZeroDivisionError("inside"))[0].enter(TRACES, b"", [])

    assert caplog.records[0].exc_info is not None


def test_success_is_counted_and_none() -> None:
    door, _ = door_to(None)

    assert door.enter(TRACES, b"", []) is None
    assert door.telemetry.requests.exact("grpc", TRACES, "success") == 1


def test_only_listed_headers_travel_on_in_an_order_of_their_own() -> None:
    door, seen = door_to(None, include_metadata=frozenset({"x-tenant", "x-env"}))
    door.enter(TRACES, b"", [("x-tenant", "a"), ("authorization", "secret"), ("x-env", "b")])

    assert seen == [(("x-env", "b"), ("x-tenant", "a"))]


@given(st.none() | st.text())
def test_only_our_own_instance_is_a_loop(via: str | None) -> None:
    door, _ = door_to(None)

    assert door.is_loop(TRACES, via) == (via == "me")
    assert door.telemetry.self_loop_requests.exact("grpc") == (via == "me")


def test_headers_that_travel_on_are_bounded_and_what_stays_behind_is_counted() -> None:
    """They are kept with every frame: a client may not fill the journal with them."""
    door, seen = door_to(None, include_metadata=frozenset({"x-tenant", "x-long"}))
    headers = [
        ("x-tenant", "a"),
        ("x-long", "b" * 5000),
        *[("x-tenant", str(n)) for n in range(99)],
    ]
    door.enter(TRACES, b"", headers)

    assert len(seen[0]) < 40
    assert all(len(text) <= 4096 for _, text in seen[0])
    assert door.telemetry.headers_left_out.exact("grpc") == 101 - len(seen[0])
