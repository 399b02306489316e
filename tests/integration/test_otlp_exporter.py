"""Journal, runner and a real destination over loopback: trouble on the way loses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

import peers
from costspan.clock import SystemClock
from costspan.exporter.otlp import OtlpGrpc, OtlpHttp
from costspan.exporter.retry import RetryPolicy
from costspan.exporter.runner import Runner, join_all
from costspan.journal.memory import MemoryJournal
from costspan.model import LOGS, METRICS, SOLO, TRACES, Frame, ReaderSpec
from costspan.receiver.admission import Admission
from costspan.receiver.grpc import GrpcReceiver
from costspan.telemetry import Telemetry
from costspan.testing import frame, request, span

SECOND = 1_000_000_000
SOON = RetryPolicy(initial=0.01, maximum=0.05)
ALL = frozenset({TRACES, METRICS, LOGS})


class Line:
    """A journal whose only reader sends to a peer."""

    def __init__(self, destination: OtlpGrpc | OtlpHttp, linger: float = 0.0) -> None:
        self.telemetry, self.clock = Telemetry(), SystemClock()
        self.journal = MemoryJournal(
            [ReaderSpec("otlp", ALL, "backpressure")], 1 << 24, self.telemetry, self.clock
        )
        self.runner = Runner(
            destination, self.journal, self.telemetry, self.clock, retry=SOON, linger=linger
        )

    def send(self, *bodies: bytes, **more: Any) -> None:
        self.journal.append([frame(body)._replace(**more) for body in bodies])

    def drain(self, seconds: float = 5.0) -> int:
        self.runner.drain(self.clock.monotonic() + round(seconds * SECOND))
        return join_all([self.runner])

    def account(self) -> dict[str, int]:
        """The identity's right side, without zeros."""
        t = self.telemetry
        table = {"sent": t.sent, "rejected": t.rejected, "dead": t.dead_lettered}
        counts = {name: counter.exact("otlp") for name, counter in table.items()}
        counts["dropped"] = t.dropped.exact("otlp")
        assert t.exporter_accepted.exact("otlp") == sum(counts.values())
        return {name: count for name, count in counts.items() if count}


Build = Callable[..., Line]


@pytest.fixture(params=["grpc", "http"])
def kinds(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    table: dict[str, tuple[Any, Any]] = {
        "grpc": (OtlpGrpc, peers.GrpcPeer),
        "http": (OtlpHttp, peers.HttpPeer),
    }
    return table[request.param]


@pytest.fixture
def peer(kinds: tuple[Any, Any]) -> Iterator[peers.GrpcPeer | peers.HttpPeer]:
    with kinds[1]() as started:
        yield started


@pytest.fixture
def line(kinds: tuple[Any, Any], peer: peers.GrpcPeer) -> Line:
    return Line(kinds[0]("otlp", peer.endpoint, timeout=0.5))


def bodies(peer: peers.GrpcPeer) -> bytes:
    return b"".join(received.body for received in peer.received)


def test_a_poisoned_span_costs_itself_and_no_other(line: Line, peer: peers.GrpcPeer) -> None:
    """A peer that refuses the whole request for one bad item gets the rest without it."""
    peer.poison = b"poison"
    good = [request(span(name=f"span {n}")) for n in range(9)]
    line.send(*good[:5], request(span(name="poison")), *good[5:])
    line.runner.start()
    line.drain()

    delivered = b"".join(r.body for r in peer.received if b"poison" not in r.body)
    assert delivered == b"".join(good)
    assert line.account() == {"sent": 9, "dead": 1}


def test_a_peer_with_a_small_limit_gets_it_in_pieces(line: Line, peer: peers.GrpcPeer) -> None:
    text = "grpc: received message larger than max (5 vs. 4)"
    peer.script = [peers.Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, 413, text)] * 3
    line.send(b"\x0a\x00", b"\x0a\x00", b"\x0a\x00", b"\x0a\x00")
    line.runner.start()
    line.drain()

    assert [len(r.body) for r in peer.received] == [8, 4, 2, 2, 4]
    assert line.account() == {"sent": 3, "dead": 1}


def test_the_peers_delay_is_waited_for(line: Line, peer: peers.GrpcPeer) -> None:
    peer.script = [peers.throttled(1.0)]
    line.send(b"\x0a\x00")
    started = time.monotonic()
    line.runner.start()
    _until(lambda: line.telemetry.sent.exact("otlp") == 1)

    assert time.monotonic() - started >= 1.0
    assert line.drain() == 0


def test_one_bad_request_of_another_signal_does_not_hold_up_spans(
    line: Line, peer: peers.GrpcPeer
) -> None:
    peer.poison = b"bad"
    line.send(b"bad", signal=LOGS)
    line.send(b"\x0a\x00")
    line.send(b"\x0a\x00", flags=SOLO)
    line.runner.start()
    line.drain()

    assert line.account() == {"sent": 2, "dead": 1}
    assert [r.signal for r in peer.received] == [LOGS, TRACES, TRACES]


def test_a_partial_success_is_counted_and_not_sent_again(line: Line, peer: peers.GrpcPeer) -> None:
    peer.script = [peers.partial(2)]
    line.send(b"\x0a\x00", items=5)
    line.runner.start()
    line.drain()

    assert len(peer.received) == 1
    assert line.account() == {"sent": 3, "rejected": 2}


def test_a_peer_that_dies_and_comes_back_misses_nothing(kinds: tuple[Any, Any]) -> None:
    sent = [request(span(name=f"span {n}")) for n in range(30)]
    with ExitStack() as stack:
        with kinds[1]() as first:
            line = Line(kinds[0]("otlp", first.endpoint, timeout=1.0))
            line.runner.start()
            line.send(*sent[:10])
            _until(lambda: line.telemetry.sent.exact("otlp") == 10)
        line.send(*sent[10:20])
        _until(lambda: line.telemetry.exporter_up.value("otlp") == 0)
        second = stack.enter_context(kinds[1](first.port))
        line.send(*sent[20:])
        assert line.drain() == 0

    assert bodies(first) == b"".join(sent[:10])
    assert bodies(second) == b"".join(sent[10:])
    assert line.account() == {"sent": 30}


def test_a_dead_peer_does_not_hold_up_the_end_and_what_it_missed_is_counted(
    kinds: tuple[Any, Any],
) -> None:
    line = Line(kinds[0]("otlp", "http://127.0.0.1:1", timeout=1.0))
    line.send(b"\x0a\x00", items=7)
    line.runner.start()
    started = time.monotonic()

    assert line.drain(0.2) == 7
    assert time.monotonic() - started < 2
    assert line.account() == {"dropped": 7}


def test_a_hanging_call_is_cancelled_at_the_deadline() -> None:
    with peers.GrpcPeer() as peer:
        peer.script = [peers.HANG]
        line = Line(OtlpGrpc("otlp", peer.endpoint, timeout=30.0))
        line.send(b"\x0a\x00")
        line.runner.start()
        _until(lambda: len(peer.received) == 1)
        started = time.monotonic()

        assert line.drain(0.1) == 1
        assert time.monotonic() - started < 1


def test_a_destination_that_is_our_own_receiver_ends_the_loop_at_the_first_turn() -> None:
    telemetry = Telemetry()
    accepted: list[bytes] = []
    receiver = GrpcReceiver(
        lambda _signal, body, *_: accepted.append(body),
        endpoint="127.0.0.1:0",
        admission=Admission(1 << 20),
        telemetry=telemetry,
        instance="me",
    )
    receiver.start()
    line = Line(OtlpGrpc("otlp", f"http://127.0.0.1:{receiver.port}", instance="me"))
    line.send(b"\x0a\x00")
    line.runner.start()
    line.drain()
    receiver.stop(0)

    assert accepted == []
    assert telemetry.self_loop_requests.exact("grpc") == 1


def test_many_writers_and_one_destination_lose_and_double_nothing(
    line: Line, peer: peers.GrpcPeer
) -> None:
    """Random trouble is in the script; each span is still counted once and arrives once."""
    peer.script = [peers.UNAVAILABLE, peers.OK, peers.throttled(0.0), peers.OK, peers.HANG] * 2
    line.runner.start()
    frames: list[list[bytes]] = [[request(span(name=f"{w}.{n}.")) for n in range(20)] for w in "ab"]
    writers = [threading.Thread(target=_send_each, args=(line, batch)) for batch in frames]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert line.drain(10) == 0

    assert line.account() == {"sent": 40}
    everything = bodies(peer)
    assert all(everything.count(body) >= 1 for batch in frames for body in batch)


def _send_each(line: Line, batch: list[bytes]) -> None:
    for body in batch:
        line.send(body)


def _until(condition: Callable[[], bool]) -> None:
    """Poll a condition that another thread brings about."""
    tick = threading.Event()
    for _ in range(1000):
        if condition():
            return
        tick.wait(0.01)
    pytest.fail("the condition did not come about within 10 s")


def test_frames_of_different_senders_are_not_joined(line: Line, peer: peers.GrpcPeer) -> None:
    frames = [
        Frame(0, 0, TRACES, 0, (("x-tenant", tenant),), b"\x0a\x00", b"", 1)
        for tenant in ("a", "b", "a")
    ]
    line.journal.append(frames)
    line.runner.start()
    line.drain()

    seen = [(r.headers["x-tenant"], len(r.body)) for r in peer.received]
    assert seen == [("a", 4), ("b", 2)]
