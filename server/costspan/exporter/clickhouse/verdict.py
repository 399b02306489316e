"""What an answer of ClickHouse means for a delivery: try again, or never again. One table."""

from __future__ import annotations

from costspan.errors import CostspanError, Refused, Unreachable

# The data is at fault: the same block will be refused for ever.
_POISON = {
    6: "cannot_parse",
    25: "cannot_parse",
    26: "cannot_parse",
    27: "cannot_parse",
    33: "cannot_parse",
    38: "cannot_parse",
    41: "cannot_parse",
    53: "type_mismatch",
    69: "out_of_range",
    72: "cannot_parse",
    117: "incorrect_data",
    190: "array_sizes",
    407: "out_of_range",
    436: "cannot_parse",
}
# The tables differ from what we write: an operator can mend it, so the data waits.
_DRIFT = frozenset({8, 10, 16, 36, 43, 47, 60, 81})
_LOGIN = frozenset({164, 194, 497, 516})
_BUSY = {159: "timeout", 202: "busy", 241: "memory", 242: "read_only", 252: "too_many_parts"}
_TOO_MANY_PARTS = 252

SCHEMA_DRIFT = "schema_drift"
UNREACHABLE = "unreachable"
LOGIN = "login"
TOO_MANY_PARTITIONS = "too_many_partitions"


def verdict(code: int | None, text: str) -> CostspanError:
    """The error to raise for a ClickHouse error code; None = there was no answer of ClickHouse.

    A code that is not in the table is tried again: nothing is lost by an unknown word.
    """
    if code is None:
        return Unreachable(text, reason=UNREACHABLE)
    if code == _TOO_MANY_PARTS and "Too many partitions" in text:
        return Refused(text, TOO_MANY_PARTITIONS)
    if code in _POISON:
        return Refused(text, _POISON[code])
    if code in _DRIFT:
        return Unreachable(text, reason=SCHEMA_DRIFT)
    if code in _LOGIN:
        return Unreachable(text, reason=LOGIN)
    return Unreachable(text, reason=_BUSY.get(code, "server_error"))
