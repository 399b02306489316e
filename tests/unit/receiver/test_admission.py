"""The budget of bytes in flight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.errors import Overloaded
from costspan.receiver.admission import Admission


def test_a_lease_ends_with_its_block_even_by_an_exception() -> None:
    admission = Admission(10)
    with pytest.raises(ZeroDivisionError), admission.lease(4):
        raise ZeroDivisionError

    assert admission.in_flight == 0


def test_what_does_not_fit_is_refused_at_once_and_says_when_to_come_back() -> None:
    admission = Admission(10)
    with admission.lease(8), pytest.raises(Overloaded, match="8 bytes are in flight") as refusal:
        admission.lease(3)

    assert refusal.value.after > 0


def test_alone_a_request_is_admitted_whatever_its_size() -> None:
    with Admission(10).lease(11) as lease:
        lease.grow(100)


def test_a_lease_that_can_not_grow_keeps_what_it_had_until_its_end() -> None:
    admission = Admission(10)
    with admission.lease(4):
        with admission.lease(4) as second, pytest.raises(Overloaded):
            second.grow(3)
        assert admission.in_flight == 4


@given(st.lists(st.integers(0, 20), max_size=20))
def test_never_more_in_flight_than_the_budget_beside_others(sizes: list[int]) -> None:
    admission = Admission(30)
    leases = []
    for size in sizes:
        try:
            leases.append(admission.lease(size))
        except Overloaded:
            assert admission.in_flight + size > 30
        assert admission.in_flight <= 30
    for lease in leases:
        lease.__exit__(None, None, None)

    assert admission.in_flight == 0
