"""The checkpoint's files and its bytes: what is kept, what is passed over, what is said of it."""

from __future__ import annotations

import logging
import struct
from pathlib import Path

import msgspec
import pytest

from costspan.ledger import checkpoint_state
from costspan.ledger.alarms import Watched
from costspan.ledger.billing import Known
from costspan.ledger.checkpoint import FORMAT, Checkpoints
from costspan.ledger.checkpoint_state import Packing, Snapshot, unpack
from costspan.ledger.graveyard import pack as bury
from costspan.ledger.held import Carried
from costspan.ledger.ledger import LedgerSettings, TraceLedger
from costspan.ledger.published import Published
from costspan.ledger.trace import Grave, Trace
from costspan.model import WITNESS
from costspan.telemetry import Telemetry
from ledger_samples import calls, frame, heads, record, span
from records import totals

SECOND = 10**9
IDENTITY, OTHER = "a" * 32, "b" * 32
# They follow from the rest; whether a parent is missing is looked up again.
DERIVED = {"usage", "payload", "size", "armed", "unwritten", "lacking"}


def checkpoints(directory: Path, identity: str = IDENTITY) -> Checkpoints:
    return Checkpoints(directory, identity, Telemetry())


def write(to: Checkpoints, seq: int) -> None:
    draft = to.draft(seq, [b"%d" % seq])
    assert draft is not None
    while draft.write():
        pass
    draft.publish()


def load(of: Checkpoints) -> int | None:
    return of.load(lambda body: int(bytes(body)), lambda seq: seq)


def packed(snapshot: Snapshot, now: int) -> bytes:
    return b"".join(Packing(snapshot, now, at_once=2))


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_two_newest_are_kept_and_the_older_says_what_is_released(tmp_path: Path) -> None:
    ours = checkpoints(tmp_path / "ledger")
    released = []
    for seq in (3, 5, 8):
        write(ours, seq)
        released.append(ours.releasable)
    assert released == [0, 3, 5]
    assert names(tmp_path / "ledger") == ["checkpoint-0000000002", "checkpoint-0000000003"]
    after = checkpoints(tmp_path / "ledger")
    assert load(after) == 8
    assert after.releasable == 0  # whether the older one is good is not known
    write(after, 9)
    assert after.releasable == 8


@pytest.mark.parametrize("at", [0, 20, 40, 51, -1])
def test_a_flipped_bit_anywhere_hands_over_to_the_older(tmp_path: Path, at: int) -> None:
    ours = checkpoints(tmp_path)
    write(ours, 3)
    write(ours, 5)
    newest = tmp_path / "checkpoint-0000000002"
    content = bytearray(newest.read_bytes())
    content[at] ^= 0x10
    newest.write_bytes(content)
    again = checkpoints(tmp_path)
    assert load(again) == 3
    write(again, 7)
    assert names(tmp_path) == ["checkpoint-0000000001", "checkpoint-0000000003"]


@pytest.mark.parametrize("size", [0, 10, 53])
def test_a_file_that_is_cut_is_damaged(tmp_path: Path, size: int) -> None:
    ours = checkpoints(tmp_path)
    write(ours, 3)
    path = tmp_path / "checkpoint-0000000001"
    path.write_bytes(path.read_bytes()[:size])
    assert load(checkpoints(tmp_path)) is None


def test_a_newer_format_is_passed_over_and_never_deleted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ours = checkpoints(tmp_path)
    write(ours, 3)
    path = tmp_path / "checkpoint-0000000001"
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, 16, FORMAT + 1)
    path.write_bytes(content)
    telemetry = Telemetry()
    older = Checkpoints(tmp_path, IDENTITY, telemetry)
    assert load(older) is None
    for seq in (4, 5, 6):
        write(older, seq)
    assert path.read_bytes() == content
    assert telemetry.checkpoints.exact("newer") == 1
    assert f"format {FORMAT + 1}, this version reads {FORMAT}" in caplog.text


def test_a_checkpoint_of_another_journal_is_not_used(tmp_path: Path) -> None:
    write(checkpoints(tmp_path, OTHER), 3)
    assert load(checkpoints(tmp_path)) is None


def test_what_cannot_be_written_is_said_once_and_leaves_the_older_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    place = tmp_path / "ledger"
    place.write_text("a file where the directory should be")
    telemetry = Telemetry()
    ours = Checkpoints(place, IDENTITY, telemetry)
    assert [ours.draft(1, [b"1"]), ours.draft(2, [b"2"])] == [None, None]
    assert (telemetry.checkpoints.exact("failed"), len(caplog.records)) == (2, 1)
    assert (ours.failing, ours.releasable) == (True, 0)
    place.unlink()
    write(ours, 3)
    assert not ours.failing
    assert load(checkpoints(place)) == 3


def test_every_slot_of_a_trace_is_packed_or_follows_from_what_is() -> None:
    """A field that is added to Trace has to be added to the codec."""
    assert set(checkpoint_state._Trace.__struct_fields__) == set(Trace.__slots__) - DERIVED


def test_the_state_comes_back_as_it_was_with_its_times_moved() -> None:
    ledger = TraceLedger(LedgerSettings(late_window=60), "w", Telemetry())
    closed = [span(1), span(2, 1, call=record(agent="a", cost=2**70)), span(3, 9)]
    other = [span(1, trace=b"o" * 16, call=record(None, role=WITNESS)), span(2, trace=b"o" * 16)]
    other += [span(3, 1, trace=b"o" * 16, call=record(response_id="r"))]
    ledger.add(frame(1, closed), heads(closed), 0)
    ledger.expire(10 * SECOND)
    late = [span(4, 1, call=record())]
    ledger.add(frame(2, [*late, *other]), heads([*late, *other]), 11 * SECOND)
    sums = Watched(2**70, 3, 5, 7, fired=frozenset({"cost", "calls"}))
    next(iter(ledger.state().traces)).watched = sums
    state = ledger.state()._replace(doubtful_before=7, graves=[(b"g" * 16, bury(GRAVE))])
    snapshot = Snapshot(state, [totals()], calls(closed))

    body = memoryview(packed(snapshot, 12 * SECOND))
    again = unpack(body, 112 * SECOND)

    assert again.ledger._replace(traces=[], graves=[]) == state._replace(traces=[], graves=[])
    assert list(again.ledger.graves) == list(state.graves)
    assert (again.totals, again.calls) == (snapshot.totals, snapshot.calls)
    assert [told(one, 100) for one in again.ledger.traces] == [
        told(one, 0) for one in snapshot.ledger.traces
    ]


@pytest.mark.parametrize("change", ["a span comes", "it is closed", "it is evicted"])
def test_what_changes_while_a_checkpoint_is_taken_is_not_in_it(change: str) -> None:
    """Two traces, a piece for each; what happens to the second falls between them."""
    ledger = TraceLedger(LedgerSettings(max_traces=2), "w", Telemetry())
    spans = [span(1, trace=trace) for trace in (b"a" * 16, b"b" * 16)]
    spans += [span(2, 1, trace=b"b" * 16, call=record())]
    ledger.add(frame(1, spans), heads(spans), 0)
    snapshot = Snapshot(ledger.state(), [], [])
    whole = [*Packing(snapshot, 0, at_once=1)]
    packing = Packing(snapshot, 0, at_once=1)
    ledger.watch_changes(packing.keep)
    pieces = iter(packing)
    first = next(pieces)
    if change == "it is closed":
        ledger.expire(10 * SECOND)
    else:
        late = [span(3, 1, trace=(b"c" if change == "it is evicted" else b"b") * 16)]
        ledger.add(frame(2, late), heads(late), 0)
    assert [first, *pieces] == whole


def test_the_graves_of_format_1_are_read() -> None:
    """Objects: trace id, span ids, (response ids, (span id, tokens in, tokens out)), root seen."""
    known = [["r"], [[b"m" * 8, 3, 4]]]
    graves = msgspec.msgpack.encode([[b"g" * 16, [b"s" * 8], known, True]])
    header = msgspec.msgpack.encode([5, 0])
    sections = ((0, header), (2, graves))
    body = b"".join(struct.pack(">BI", kind, len(each)) + each for kind, each in sections)
    left = Known(frozenset({"r"}), {b"m" * 8: Carried(3, 4)})
    grave = Grave(frozenset({b"s" * 8}), left, rooted=True)
    assert list(unpack(memoryview(body), 0).ledger.graves) == [(b"g" * 16, bury(grave))]


KNOWN = Known(
    frozenset({"r"}),
    {
        b"m" * 8: Carried(3, 4, 2, (("m", "app", "chatcmpl-", 3, 4, 1, 1, 2, 3),)),
        b"n" * 8: Carried(2**63 - 1, 0),
    },
)
GRAVE = Grave(frozenset({b"s" * 8}), KNOWN, rooted=True)
TIMES = ("first_seen", "last_seen", "root_seen", "amend_at", "entry_seen", "checkpoint_at")


UNTOLD = {"size", "armed", "lacking"}


def told(trace: Trace, moved: int) -> dict[str, object]:
    """All that a trace holds, its times as if they had not been moved by so many seconds."""
    said = {name: getattr(trace, name) for name in set(Trace.__slots__) - UNTOLD}
    for name in TIMES:
        said[name] = None if said[name] is None else said[name] - moved * SECOND
    said["calls"] = {
        span_id: [getattr(held, name) for name in held.__struct_fields__]
        for span_id, held in trace.calls.items()
    }
    return said


def test_a_resumed_ledger_counts_the_same_bytes_and_traces() -> None:
    first, second = Telemetry(), Telemetry()
    ledger = TraceLedger(LedgerSettings(), "w", first)
    spans = [span(n, 99, trace=bytes([n]) * 16, call=record()) for n in range(1, 9)]
    ledger.add(frame(1, spans), heads(spans), 0)
    body = memoryview(packed(Snapshot(ledger.state(), [], []), 0))
    other = TraceLedger(LedgerSettings(), "w", second)
    other.resume(unpack(body, 0).ledger, Published())
    gauges = [
        {f.name: f.samples[0].value for f in each.collect() if f.name in GAUGES}
        for each in (first, second)
    ]
    assert gauges[0] == gauges[1]
    assert gauges[0]["costspan_open_traces"] == 8


GAUGES = ("costspan_open_traces", "costspan_ledger_bytes")


def test_sections_that_make_no_sense_are_refused() -> None:
    for body in (b"", b"\0", b"\x09\0\0\0\0", b"\x00\xff\0\0\0abc"):
        with pytest.raises(ValueError):  # noqa: PT011  (msgspec words some of them)
            unpack(memoryview(body), 0)
