"""What a shallow reading and a full one make of the same bytes."""

from __future__ import annotations

import pytest

from costspan import testing, wire
from costspan.errors import Undecodable


def test_one_bad_utf8_byte_is_unreadable_but_not_undecodable() -> None:
    good = testing.request(testing.span({"gen_ai.request.model": "gpt-4o"}))
    bad = good.replace(b"gpt-4o", b"gpt-4\xff")

    assert wire.readable(good)
    assert not wire.readable(bad)
    assert wire.count(bad) == 1


def test_garbage_is_undecodable_and_the_error_says_what_was_expected_and_seen() -> None:
    with pytest.raises(Undecodable, match="expected an OTLP export request, got 3 bytes"):
        wire.count(b"\xff\xff\xff")


def test_an_empty_request_holds_nothing() -> None:
    assert wire.count(b"") == 0


def test_joined_requests_are_one_request() -> None:
    one, two = testing.request(testing.span()), testing.request(testing.span(), testing.span())

    assert wire.count(one + two) == 3


def test_a_request_within_the_limit_is_not_touched() -> None:
    request = testing.request(testing.span())

    assert wire.cut(request, len(request))[0] is request
