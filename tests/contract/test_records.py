"""What the records promise that travel beside the bytes: they come back equal, or say why not."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costspan.model import (
    Charge,
    Identity,
    Line,
    Tally,
    decode_calls,
    decode_totals,
    encode_calls,
    encode_totals,
)
from records import call, totals

attos = st.integers(-(10**38) + 1, 10**38 - 1).map(str)
names = st.text(max_size=10)
usages = st.dictionaries(names, st.integers(0, 2**63 - 1), max_size=3)
lines = st.builds(Line, names, st.integers(0, 2**63 - 1), attos, attos)
charges = st.builds(
    Charge,
    total=attos,
    savings=attos,
    lines=st.tuples(lines, lines),
    effective_total=attos,
    showback_total=attos,
)
dimensions = st.dictionaries(names, names)
identities = st.builds(
    Identity, names, names, dimensions=dimensions, defaults=st.lists(names).map(tuple)
)
tallies = st.dictionaries(names, st.builds(Tally, attos, st.integers(0, 99), usages))


@given(charges, identities, st.one_of(st.none(), usages))
def test_a_call_comes_back_equal_with_money_beyond_what_msgpack_counts(
    charge: Charge, identity: Identity, usage: dict[str, int] | None
) -> None:
    record = call(charge=charge, identity=identity, usage=usage)

    assert decode_calls(encode_calls([record, record])) == [record, record]


@given(attos, usages, tallies)
def test_totals_come_back_equal(
    cost: str, usage: dict[str, int], by_model: dict[str, Tally]
) -> None:
    row = totals(cost=cost, usage=usage, by_model=by_model)

    assert decode_totals(encode_totals([row])) == [row]


def test_records_of_an_earlier_version_lack_the_fields_at_the_end() -> None:
    """A disk or a peer may still hold them; what is missing has its default."""
    record = call()
    raw = msgspec.msgpack.decode(encode_calls([record]))
    fields = list(record.__struct_fields__)
    older = raw[1][0][: fields.index("gateway")]
    older[fields.index("charge")] = older[fields.index("charge")][:10]

    assert decode_calls(msgspec.msgpack.encode((1, [older]))) == [record]


def test_no_calls_are_no_bytes() -> None:
    assert encode_calls([]) == b""
    assert decode_calls(b"") == []


def test_a_format_of_a_later_version_is_refused_with_a_sentence() -> None:
    later = msgspec.msgpack.encode((99, ()))

    with pytest.raises(ValueError, match="call records of format 99, expected 1"):
        decode_calls(later)
    with pytest.raises(ValueError, match="trace totals of format 99, expected 1"):
        decode_totals(later)
