"""A TCP proxy that damages connections on demand, and counts how often it did. It judges nothing.

It knows just enough of HTTP/1.1 and HTTP/2 to see where an answer begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Coroutine, Iterator
from enum import Enum
from typing import Self

_CHUNK = 8 * 1024
_SLOW_BYTES_PER_SECOND = 64 * 1024
_FRAME_HEAD = 9  # RFC 9113, 4.1: length (3 bytes), type, flags, stream id (4)
_HEADERS = 1  # RFC 9113, 6.2
_STEP = 10.0  # seconds for a change of mood
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER on, for no time


class Fault(Enum):
    """What may be wrong with a connection."""

    NONE = "none"
    REFUSE = "refuse"  # nobody listens, and who was connected is reset
    RESET = "reset"  # the server has done its work; RST in the middle of the answer's head
    CUT = "cut"  # the same; FIN right after the answer's head, which says 200
    HANG = "hang"  # everything is swallowed, nothing is said
    SLOW = "slow"  # 64 KiB are read in a second


class FaultProxy:
    """`with FaultProxy(port_of_the_server) as proxy:`; clients connect to `proxy.port`."""

    def __init__(self, server: int) -> None:
        self.hits: Counter[Fault] = Counter()  # REFUSE: connections that were torn; others: acts
        self._server_port = server
        self._fault = Fault.NONE
        self._open: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy")
        self._keeper = _bound(0)  # holds the port while nobody listens
        self.port: int = self._keeper.getsockname()[1]
        self._listener: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ail(self, fault: Fault) -> None:
        """Suffer from `fault` from now on, on open connections too."""
        self._do(self._change(fault))

    def heal(self) -> None:
        """Be a good proxy again. Connections that lost bytes are reset."""
        self._do(self._change(Fault.NONE))

    def _do(self, step: Coroutine[None, None, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result(_STEP)

    # --- on the loop --------------------------------------------------------------------------

    async def _listen(self) -> None:
        self._keeper.close()
        self._listener = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=_CHUNK
        )

    async def _hide(self) -> None:
        if self._listener is not None:
            # a connection that is accepted as the server closes is forgotten, and stays open
            for listener in self._listener.sockets:
                self._loop.remove_reader(listener)
            await asyncio.sleep(0)
            self._listener.close()
            self._listener = None
            self._keeper = _bound(self.port)

    async def _change(self, fault: Fault) -> None:
        was, self._fault = self._fault, fault
        if fault is Fault.REFUSE:
            await self._hide()
            self.hits[fault] += len(self._open)
        elif was is Fault.REFUSE:
            await self._listen()
        for connection in list(self._open):
            if fault is Fault.REFUSE or connection.lost_bytes:
                connection.reset()

    async def _end(self) -> None:
        self._fault = Fault.REFUSE
        await self._hide()
        self._keeper.close()
        for connection in list(self._open):
            connection.reset()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)  # those of connections that were being accepted too

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            await _gone(writer)  # as if nobody had listened
            return
        if self._fault is Fault.REFUSE:  # since it was accepted
            await _gone(writer)
            await _gone(server[1])
            return
        connection = _Connection(self, (reader, writer), server)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)


class _Connection:
    """One client's connection and the one that belongs to it, both ways until one ends."""

    def __init__(
        self,
        proxy: FaultProxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self.lost_bytes = False  # nobody can go on where some are missing
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server

    async def run(self) -> None:
        tasks = {asyncio.ensure_future(way()) for way in (self._up, self._down)}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for writer in (self._to_client, self._to_server):
                writer.close()
                await _closed(writer)

    def reset(self) -> None:
        """RST to both sides."""
        for writer in (self._to_client, self._to_server):
            _reset(writer)

    def _hit(self, fault: Fault) -> None:
        self._proxy.hits[fault] += 1

    async def _up(self) -> None:
        while data := await self._from_client.read(_CHUNK):
            match self._proxy._fault:
                case Fault.HANG:
                    self.lost_bytes = True
                    self._hit(Fault.HANG)
                    continue
                case Fault.SLOW:
                    self._hit(Fault.SLOW)
                    await asyncio.sleep(len(data) / _SLOW_BYTES_PER_SECOND)
            self._to_server.write(data)
            await self._to_server.drain()

    async def _down(self) -> None:
        answers = _Answers()
        while data := await self._from_server.read(_CHUNK):
            for piece, begins in answers.pieces(data):
                fault = self._proxy._fault
                if begins and fault in (Fault.RESET, Fault.CUT):
                    self._hit(fault)
                    await self._break_off(piece, fault)
                    return
                if fault is Fault.HANG:
                    self.lost_bytes = True
                else:
                    self._to_client.write(piece)
            await self._to_client.drain()

    async def _break_off(self, piece: bytes, fault: Fault) -> None:
        if fault is Fault.CUT:
            self._to_client.write(_head(piece))
            return
        self._to_client.write(piece[: len(piece) // 2])
        await self._to_client.drain()
        self.reset()


class _Answers:
    """Splits what a server says, so that every answer begins a piece of its own."""

    def __init__(self) -> None:
        self._pending = b""
        self._http1: bool | None = None

    def pieces(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Bytes, and whether an answer begins with them."""
        if self._http1 is None:
            self._http1 = data.startswith(b"HTTP/1.")
        if self._http1:  # one request at a time: an answer begins with what is read
            yield data, data.startswith(b"HTTP/1.")
            return
        self._pending += data
        while len(self._pending) >= _FRAME_HEAD:
            size = _FRAME_HEAD + int.from_bytes(self._pending[:3])
            if len(self._pending) < size:
                return
            frame, self._pending = self._pending[:size], self._pending[size:]
            yield frame, frame[3] == _HEADERS


def _head(piece: bytes) -> bytes:
    """An HTTP/1 head without its body, announcing one; a whole HTTP/2 frame."""
    head, end, _ = piece.partition(b"\r\n\r\n")
    if not piece.startswith(b"HTTP/1."):
        return piece
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(_LENGTHS)]
    return b"\r\n".join([*lines, b"Content-Length: 7"]) + end


_LENGTHS = (b"content-length:", b"transfer-encoding:")


def _bound(port: int) -> socket.socket:
    """A socket that holds the port and does not listen: whoever connects is refused."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made


async def _gone(writer: asyncio.StreamWriter) -> None:
    _reset(writer)
    await _closed(writer)


async def _closed(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # how it ended was our doing
        await writer.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None and not writer.transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()
