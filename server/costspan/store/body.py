"""Request bodies: collected and decompressed up to a limit. No meaning is read from them."""

from __future__ import annotations

import sys
import zlib
from collections.abc import AsyncIterator
from typing import Protocol

import lz4.frame  # type: ignore[import-untyped]  # ships no types

from costspan.errors import TooLarge, Undecodable, UnsupportedFormat

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd  # clickhouse-connect depends on it and on lz4


class _Decompressor(Protocol):
    """What the standard library's decompressors have in common."""

    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


async def collect(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    """All chunks as one. Raises TooLarge."""
    parts, size = [], 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"expected a body of at most {limit} bytes")
        parts.append(chunk)
    return b"".join(parts)


def decompress(data: bytes, encoding: str, limit: int) -> bytes:
    """The body behind a Content-Encoding. Raises UnsupportedFormat, Undecodable, TooLarge."""
    if encoding in ("", "identity") or not data:
        return data
    decompressor = _decompressor(encoding)
    try:
        plain = decompressor.decompress(data, limit + 1)
    except (zlib.error, zstd.ZstdError, RuntimeError, EOFError) as error:
        raise Undecodable(f"expected a {encoding} body: {error}") from error
    if len(plain) > limit:
        raise TooLarge(f"expected at most {limit} bytes after decompression")
    if not decompressor.eof:
        raise Undecodable(f"expected a whole {encoding} body, it ends too early")
    return plain


def _decompressor(encoding: str) -> _Decompressor:
    match encoding:
        case "gzip":
            return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        case "deflate":
            return zlib.decompressobj()
        case "lz4":
            frame: _Decompressor = lz4.frame.LZ4FrameDecompressor()
            return frame
        case "zstd":
            return zstd.ZstdDecompressor()
        case _:
            raise UnsupportedFormat(
                f"expected gzip, deflate, lz4, zstd or no Content-Encoding, got {encoding!r}"
            )
