"""An HTTP server that answers before it has read the body, as gateways with a limit do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from costspan.errors import TooLarge, Unreachable
from costspan.exporter.otlp import OtlpHttp
from costspan.testing import frame

TOO_LARGE = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextmanager
def hasty(answer: bytes) -> Iterator[str]:
    """Reads the head of each request, sends `answer` and closes with the rest unread: a reset."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(1024)
                connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_too_large_is_heard_though_the_body_could_not_be_sent() -> None:
    """Taken for a lost connection, the request would be sent again for ever."""
    with hasty(TOO_LARGE) as endpoint:
        destination = OtlpHttp("lab", endpoint, timeout=5.0)
        with pytest.raises(TooLarge):
            destination.deliver([frame(b"\x0a\x00" * 4_000_000)])
        destination.close()


def test_a_connection_that_ends_without_an_answer_is_tried_again() -> None:
    with hasty(b"") as endpoint:
        destination = OtlpHttp("lab", endpoint, timeout=5.0)
        with pytest.raises(Unreachable):
            destination.deliver([frame(b"\x0a\x00" * 4_000_000)])
        destination.close()
