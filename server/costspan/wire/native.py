"""ClickHouse's Native format: one block, column by column. Bytes only; no table is known here.

A block is the number of columns and of rows, then for each column its name, its type and its data:
https://clickhouse.com/docs/interfaces/formats/Native. A String is a varint length and the bytes,
which is what protobuf calls length-delimited: such fields pass through uncopied in meaning.
Integers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain

from costspan.wire.values import varint

MAX_DECIMAL = 10**38 - 1  # of Decimal(38, n), in units of its last digit


class Block:
    """Columns of `rows` values each, in the order in which they are added."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._parts: list[bytes] = []
        self.columns: list[str] = []

    def add(self, name: str, kind: str, data: bytes) -> None:
        """`data` is the column's values in the encoding of the type `kind`."""
        self.columns.append(name)
        self._parts += (text(name), text(kind), data)

    def encode(self) -> bytes:
        return varint(len(self.columns)) + varint(self.rows) + b"".join(self._parts)


_LENGTHS = [varint(n) for n in range(256)]  # most texts are that short


def string(data: bytes) -> bytes:
    """One String value."""
    size = len(data)
    return (_LENGTHS[size] if size < len(_LENGTHS) else varint(size)) + data


def text(value: str) -> bytes:
    """One String value of a text."""
    return string(value.encode())


class _Strings(dict[bytes, bytes]):
    """Values of one column, encoded once each: most columns repeat theirs."""

    def __missing__(self, data: bytes) -> bytes:
        encoded = self[data] = string(data)
        return encoded


def strings(values: Iterable[bytes]) -> bytes:
    """A String column."""
    return b"".join(map(_Strings().__getitem__, values))


class _Texts(dict[str, bytes]):
    def __missing__(self, value: str) -> bytes:
        encoded = self[value] = text(value)
        return encoded


def texts(values: Iterable[str]) -> bytes:
    """A String column of texts."""
    return b"".join(map(_Texts().__getitem__, values))


def unsigned(values: Sequence[int]) -> bytes:
    """A UInt64 column."""
    return struct.pack(f"<{len(values)}Q", *values)


def signed(values: Sequence[int]) -> bytes:
    """An Int64 column; DateTime64 is one too, in ticks."""
    return struct.pack(f"<{len(values)}q", *values)


def bools(values: Iterable[bool]) -> bytes:
    """A Bool column."""
    return bytes(values)


def decimal(value: int) -> bytes:
    """One Decimal(38, n) value, in units of its last digit. Raises ValueError beyond 38 digits."""
    if abs(value) > MAX_DECIMAL:
        raise ValueError(f"expected at most 38 digits for a Decimal(38), got {value}")
    return value.to_bytes(16, "little", signed=True)


class Amounts(dict[str, bytes]):
    """Decimal(38, n) values of the decimal texts of their last digits; "" is worth 0.

    One for a block: most amounts of a row are equal, and each is made once.
    """

    def __missing__(self, value: str) -> bytes:
        encoded = self[value] = decimal(int(value) if value else 0)
        return encoded

    def column(self, values: Iterable[str]) -> bytes:
        """A Decimal(38, n) column."""
        return b"".join(map(self.__getitem__, values))

    def nullable(self, values: Sequence[str]) -> bytes:
        """A Nullable(Decimal(38, n)) column: the map of nulls, then the values. "" is null."""
        return bytes(not value for value in values) + self.column(values)

    def map(self, values: Sequence[Mapping[str, str]]) -> bytes:
        """A Map(String, Decimal(38, n)) column."""
        amounts = (amount for value in values for amount in value.values())
        return _keys(values) + self.column(amounts)


def offsets(lengths: Iterable[int]) -> bytes:
    """Where each array or map of a column ends: what precedes its elements."""
    return unsigned(list(accumulate(lengths)))


def array(values: Sequence[Sequence[str]]) -> bytes:
    """An Array(String) column."""
    return offsets(map(len, values)) + texts(chain.from_iterable(values))


def text_map(values: Sequence[Mapping[str, str]]) -> bytes:
    """A Map(String, String) column."""
    return _keys(values) + texts(chain.from_iterable(value.values() for value in values))


def count_map(values: Sequence[Mapping[str, int]]) -> bytes:
    """A Map(String, UInt64) column."""
    return _keys(values) + unsigned([n for value in values for n in value.values()])


def _keys(values: Sequence[Mapping[str, object]]) -> bytes:
    return offsets(map(len, values)) + texts(chain.from_iterable(values))
