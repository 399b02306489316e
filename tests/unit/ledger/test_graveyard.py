"""What is remembered of closed traces, and how much of it there is room for."""

from __future__ import annotations

from costspan.ledger.billing import Known
from costspan.ledger.graveyard import Graveyard
from costspan.ledger.held import Carried
from costspan.ledger.trace import Grave
from ledger_samples import ident

GRAVE = Grave(
    frozenset(map(ident, range(1, 30))),
    Known(
        frozenset({"chatcmpl-1", "\u00fc"}),
        {
            ident(99): Carried(3, 10**15),
            ident(98): Carried(1, 2, 1, (("m", "", "", 1, 2, 0, 0, 1, 0),)),
        },
    ),
    rooted=True,
)
EMPTY = Grave(frozenset(), Known(), rooted=False)


def test_what_was_buried_comes_back_once_and_leaves_no_bytes() -> None:
    yard = Graveyard(10_000)
    for number, grave in enumerate((GRAVE, EMPTY)):
        yard.bury(bytes([number]) * 16, grave)
    assert yard.exhume(bytes(16)) == GRAVE
    assert yard.exhume(bytes(16)) is None
    assert yard.exhume(b"\x01" * 16) == EMPTY
    assert yard.bytes == 0


def test_graves_move_to_another_yard_as_they_are_and_in_order() -> None:
    yard, other = Graveyard(10_000), Graveyard(10_000)
    for number, grave in enumerate((GRAVE, EMPTY)):
        yard.bury(bytes([number]) * 16, grave)
    for trace_id, packed in yard.packed():
        other.put(trace_id, packed)
    assert (other.packed(), other.bytes) == (yard.packed(), yard.bytes)
    assert other.exhume(bytes(16)) == GRAVE


def test_above_the_limit_the_oldest_are_forgotten() -> None:
    yard = Graveyard(100 * 1024)
    for number in range(1000):
        yard.bury(number.to_bytes(16), GRAVE)
    kept = [int.from_bytes(trace_id) for trace_id, _ in yard.packed()]
    assert kept == list(range(1000 - len(kept), 1000))
    assert 90 * 1024 < yard.bytes <= 100 * 1024
    assert len(kept) > 150, "29 span ids take no more than 680 bytes"


def test_a_sidecar_remembers_nine_thousand_traces_of_three_calls() -> None:
    """A quarter of the 16 MiB that it has by default."""
    yard = Graveyard(4 << 20)
    for number in range(10_000):
        spans = frozenset(number.to_bytes(7) + bytes([call]) for call in range(3))
        answers = frozenset(f"chatcmpl-{number:029}{call}" for call in range(3))
        yard.bury(number.to_bytes(16), Grave(spans, Known(answers), rooted=True))
    assert len(yard.packed()) > 9_000
