"""What every OTLP destination promises, over real loopback servers that answer by a script."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

import peers
from costspan.errors import Refused, TooLarge, Unreachable
from costspan.exporter.destination import Delivered, Destination
from costspan.exporter.otlp import OtlpGrpc, OtlpHttp
from costspan.model import LOGS, METRICS, SOLO, TRACES, Frame
from costspan.testing import MemoryDestination
from integration.fault_proxy import Fault, FaultProxy

Peer = peers.GrpcPeer | peers.HttpPeer
Make = Callable[..., OtlpGrpc | OtlpHttp]

TRANSPORTS: list[tuple[type[OtlpGrpc | OtlpHttp], type[Peer]]] = [
    (OtlpGrpc, peers.GrpcPeer),
    (OtlpHttp, peers.HttpPeer),
]


def frame(body: bytes = b"", *, seq: int = 0, items: int = 1, **more: Any) -> Frame:
    plain: dict[str, Any] = {"signal": TRACES, "flags": 0, "metadata": ()}
    return Frame(seq=seq, received_ns=0, body=body, calls=b"", items=items, **plain | more)


@pytest.fixture(params=TRANSPORTS, ids=["grpc", "http"])
def transport(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    pair: tuple[Any, Any] = request.param
    return pair


@pytest.fixture
def peer(transport: tuple[Any, Any]) -> Iterator[Peer]:
    with transport[1]() as started:
        yield started


@pytest.fixture
def make(transport: tuple[Any, Any], peer: Peer) -> Iterator[Make]:
    with ExitStack() as stack:

        def made(endpoint: str = peer.endpoint, **options: Any) -> OtlpGrpc | OtlpHttp:
            destination: OtlpGrpc | OtlpHttp
            destination = transport[0]("otlp", endpoint, instance="me", **options)
            stack.callback(destination.close)
            return destination

        yield made


@pytest.mark.parametrize("signal", [TRACES, METRICS, LOGS])
def test_a_group_arrives_as_one_request_of_its_signal(make: Make, peer: Peer, signal: str) -> None:
    frames = [frame(b"\x0a\x00", signal=signal), frame(b"\x0a\x01\x00", signal=signal, items=2)]

    delivered = make().deliver(frames)

    assert delivered == Delivered(sent=3)
    assert [(r.signal, r.body) for r in peer.received] == [(signal, b"\x0a\x00\x0a\x01\x00")]


def test_headers_carry_the_instance_the_configuration_and_what_the_client_sent(
    make: Make, peer: Peer
) -> None:
    destination = make(headers={"Authorization": "Bearer x"})

    destination.deliver([frame(metadata=(("x-tenant", "blue"), ("authorization", "forged")))])

    headers = peer.received[0].headers
    assert headers["costspan-via"] == "me"
    assert headers["authorization"] == "Bearer x"
    assert headers["x-tenant"] == "blue"
    assert headers["user-agent"].startswith("costspan/")


def test_a_header_value_that_no_transport_carries_does_not_hold_up_the_data(
    make: Make, peer: Peer
) -> None:
    make().deliver([frame(metadata=(("x-tenant", "blau\u00e4\n"),))])

    assert "x-tenant" not in peer.received[0].headers


def test_gzip_changes_the_way_not_the_content(make: Make, peer: Peer) -> None:
    body = b"\x0a\x7f" * 1000

    make(compression="gzip").deliver([frame(body)])

    assert peer.received[0].body == body


def test_partial_success_counts_what_was_rejected(make: Make, peer: Peer) -> None:
    peer.script = [peers.partial(3)]

    assert make().deliver([frame(items=10)]) == Delivered(7, 3, "not all of them")


def test_a_partial_success_never_rejects_more_than_was_sent(make: Make, peer: Peer) -> None:
    peer.script = [peers.partial(99)]

    assert make().deliver([frame(items=10)])[:2] == (0, 10)


def test_unavailable_is_retryable_and_the_next_delivery_goes_through(
    make: Make, peer: Peer
) -> None:
    peer.script = [peers.UNAVAILABLE]
    destination = make()

    with pytest.raises(Unreachable, match="restarting") as caught:
        destination.deliver([frame()])
    assert (caught.value.after, caught.value.reason) == (0.0, "unavailable")
    assert destination.deliver([frame()]) == Delivered(1)


def test_the_delay_that_it_asks_for_is_passed_on(make: Make, peer: Peer) -> None:
    peer.script = [peers.throttled(2.0)]

    with pytest.raises(Unreachable) as caught:
        make().deliver([frame()])
    assert caught.value.after == pytest.approx(2.0)


def test_a_poisoned_item_is_refused_with_the_peers_words(make: Make, peer: Peer) -> None:
    peer.poison = b"poison"

    with pytest.raises(Refused, match="bad span") as caught:
        make().deliver([frame(b"poison")])
    assert caught.value.reason == "invalid_argument"


def test_too_large_is_told_apart_from_overload(make: Make, peer: Peer) -> None:
    text = "grpc: received message larger than max (5 vs. 4)"
    peer.script = [peers.Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, 413, text)]

    with pytest.raises(TooLarge):
        make().deliver([frame()])


def test_a_peer_that_hangs_is_given_up_after_the_timeout(make: Make, peer: Peer) -> None:
    peer.script = [peers.HANG]

    with pytest.raises(Unreachable) as caught:
        make(timeout=0.2).deliver([frame()])
    assert caught.value.reason == "deadline_exceeded"


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.CUT])
def test_an_answer_that_breaks_off_is_no_success(make: Make, peer: Peer, fault: Fault) -> None:
    """Not even if its head says 200: what is missing may have said what was rejected."""
    with FaultProxy(peer.port) as proxy:
        proxy.ail(fault)
        with pytest.raises(Unreachable):
            make(f"http://{proxy.endpoint}").deliver([frame()])
    assert proxy.hits[fault] >= 1


@pytest.mark.parametrize("host", ["127.0.0.1:1", "costspan.invalid:4317"])
def test_a_peer_that_is_not_there_is_retryable(make: Make, host: str) -> None:
    with pytest.raises(Unreachable):
        make(f"http://{host}", timeout=0.5).deliver([frame()])


def test_a_peer_that_was_restarted_is_found_again_by_the_same_destination(
    transport: tuple[Any, Any],
) -> None:
    make_destination, make_peer = transport
    with make_peer() as first:
        destination = make_destination("otlp", first.endpoint)
        destination.deliver([frame(b"\x0a\x00")])
    with make_peer(first.port) as second:
        delivered = _until_reachable(destination)
        destination.close()

    assert delivered == Delivered(1)
    assert [r.body for r in second.received] == [b"\x0a\x01\x00"]


def _until_reachable(destination: Destination) -> Delivered:
    """What the runner does: the connection may take a few attempts to come back."""
    for _ in range(100_000):
        try:
            return destination.deliver([frame(b"\x0a\x01\x00")])
        except Unreachable:
            continue
    pytest.fail("the destination never came back")


# --- grouping ------------------------------------------------------------------------------------

frame_lists = st.lists(
    st.builds(
        frame,
        st.binary(max_size=30),
        signal=st.sampled_from([TRACES, LOGS]),
        flags=st.sampled_from([0, 0, 0, SOLO]),
        metadata=st.sampled_from([(), (("tenant", "a"),)]),
    ),
    max_size=12,
).map(lambda frames: [f._replace(seq=number) for number, f in enumerate(frames, 1)])

GROUPING: list[Destination] = [
    OtlpGrpc("otlp", "http://127.0.0.1:1", max_bytes=40),
    OtlpHttp("otlp", "http://127.0.0.1:1", max_bytes=40),
    MemoryDestination(),
]


@pytest.mark.parametrize("destination", GROUPING, ids=["grpc", "http", "memory"])
@given(frames=frame_lists)
def test_groups_hold_every_frame_once_and_depend_on_the_frames_alone(
    destination: Destination, frames: list[Frame]
) -> None:
    groups = destination.group(frames)

    assert sorted(f.seq for group in groups for f in group) == [f.seq for f in frames]
    assert all(groups)
    assert groups == destination.group(frames)


@pytest.mark.parametrize("destination", GROUPING[:2], ids=["grpc", "http"])
@given(frames=frame_lists)
def test_a_request_joins_only_equal_senders_in_order_and_within_its_size(
    destination: Destination, frames: list[Frame]
) -> None:
    for group in destination.group(frames):
        assert len({(f.signal, f.metadata) for f in group}) == 1
        assert [f.seq for f in group] == sorted(f.seq for f in group)
        assert len(group) == 1 or not any(f.flags & SOLO for f in group)
        assert len(group) == 1 or sum(len(f.body) for f in group) <= 40


def test_a_frame_above_the_size_goes_out_alone() -> None:
    frames = [frame(b"x" * 10), frame(b"x" * 50), frame(b"x" * 10)]

    assert [_sizes(group) for group in GROUPING[0].group(frames)] == [[10], [50], [10]]


def _sizes(group: Sequence[Frame]) -> list[int]:
    return [len(f.body) for f in group]
