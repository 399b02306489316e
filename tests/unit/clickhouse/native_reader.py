"""A reader of ClickHouse's Native format for tests: made from its description, not from ours."""

from __future__ import annotations

import re
import struct
from typing import Any


def read_block(data: bytes) -> dict[str, list[Any]]:
    """The columns of one block; Map is a dict, Decimal and DateTime64 are their integers."""
    reader = _Reader(data)
    columns, rows = reader.varint(), reader.varint()
    found = {}
    for _ in range(columns):
        name, kind = reader.string(), reader.string()
        found[name] = reader.column(kind, rows)
    assert reader.at == len(data)
    return found


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        part = self.data[self.at : self.at + size]
        assert len(part) == size
        self.at += size
        return part

    def varint(self) -> int:
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def string(self) -> str:
        return self.take(self.varint()).decode()

    def integers(self, letter: str, rows: int) -> list[int]:
        layout = f"<{rows}{letter}"
        return list(struct.unpack(layout, self.take(struct.calcsize(layout))))

    def column(self, kind: str, rows: int) -> list[Any]:
        if kind == "String":
            return [self.string() for _ in range(rows)]
        if kind in ("UInt64", "DateTime64(9)"):
            return self.integers("Q" if kind == "UInt64" else "q", rows)
        if kind == "Bool":
            return [bool(byte) for byte in self.take(rows)]
        if kind.startswith("Decimal(38"):
            return [int.from_bytes(self.take(16), "little", signed=True) for _ in range(rows)]
        outer = re.fullmatch(r"(Array|Map|Nullable)\((.*)\)", kind)
        assert outer, kind
        return {"Array": self.arrays, "Map": self.maps, "Nullable": self.nullables}[outer[1]](
            outer[2], rows
        )

    def nullables(self, kind: str, rows: int) -> list[Any]:
        unknown = self.take(rows)
        values = self.column(kind, rows)
        return [None if null else value for null, value in zip(unknown, values, strict=True)]

    def arrays(self, kind: str, rows: int) -> list[Any]:
        ends = self.integers("Q", rows)
        values = self.column(kind, ends[-1] if ends else 0)
        return [values[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def maps(self, kinds: str, rows: int) -> list[Any]:
        key, value = kinds.split(", ", 1)
        ends = self.integers("Q", rows)
        size = ends[-1] if ends else 0
        pairs = list(zip(self.column(key, size), self.column(value, size), strict=True))
        groups = [pairs[start:end] for start, end in zip([0, *ends], ends, strict=False)]
        assert all(len(dict(group)) == len(group) for group in groups)
        return [dict(group) for group in groups]
