"""Hits as `scan` would hand them over, for tests of the rooms behind it. No assertions here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from costspan.dialect import DEFAULT_DIMENSIONS, Dimensions, recognise
from costspan.model import Hit, LlmCall, Value
from costspan_pricing import Pricer, load_book

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND  # 2026-09-21T14:13:20Z
BOOK = Path(__file__).parent / "golden" / "book.json"


def hit(
    values: Mapping[str, Value],
    *,
    scope: tuple[str, str] = ("app", "1"),
    name: str = "chat",
    status: int = 0,
    resource: Mapping[str, Value] | None = None,
    own: Mapping[str, Value] | None = None,
) -> Hit:
    """One span with these attributes."""
    return Hit(
        ordinal=7,
        trace_id=b"\x01" * 16,
        span_id=b"\x02" * 8,
        parent_span_id=b"\x03" * 8,
        name=name,
        kind=3,
        start_ns=START,
        end_ns=START + SECOND,
        status=status,
        flags=0,
        scope=scope,
        resource={"service.name": "app"} if resource is None else resource,
        values=values,
        own=own or {},
    )


def call_of(
    values: Mapping[str, Value],
    *,
    scope: tuple[str, str] = ("app", "1"),
    name: str = "chat",
    status: int = 0,
    resource: Mapping[str, Value] | None = None,
    own: Mapping[str, Value] | None = None,
    dimensions: Dimensions = DEFAULT_DIMENSIONS,
    remeter: bool = False,
) -> LlmCall:
    """The call that such a span is; a test that expects none asks `recognise` itself."""
    found = hit(values, scope=scope, name=name, status=status, resource=resource, own=own)
    call = recognise(found, dimensions, remeter=remeter)
    if call is None:
        raise AssertionError(f"no call in {dict(values)}")
    return call


def small_pricer() -> Pricer:
    """Prices by the goldens' book of a few round rates."""
    return Pricer(load_book(BOOK))
