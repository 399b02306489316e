"""What an answer of ClickHouse means for a delivery: try again, or never again. One table.

Never again is for what the rows themselves are guilty of: the group is then halved down to the one
span. Whatever an operator can mend is tried again for ever, under a reason that says where to look.
"""

from __future__ import annotations

import re

from costspan.errors import CostspanError, Refused, TooLarge, Unreachable

SCHEMA_DRIFT = "schema_drift"
UNREACHABLE = "unreachable"
LOGIN = "login"
SETTINGS = "settings"
VIEW = "view"
TOO_MANY_PARTITIONS = "too_many_partitions"

# The data is at fault: the same block will be refused for ever.
_POISON = {
    6: "cannot_parse",
    25: "cannot_parse",
    26: "cannot_parse",
    27: "cannot_parse",
    32: "cannot_parse",
    33: "cannot_parse",
    38: "cannot_parse",
    41: "cannot_parse",
    53: "type_mismatch",
    69: "out_of_range",
    70: "type_mismatch",
    72: "cannot_parse",
    117: "incorrect_data",
    128: "out_of_range",
    131: "out_of_range",
    190: "array_sizes",
    306: "too_deep",
    321: "out_of_range",
    376: "cannot_parse",
    407: "out_of_range",
    436: "cannot_parse",
    469: "constraint",
}
# The server is busy or broken, or an operator has to mend something: the data waits.
_WAITS = {
    **dict.fromkeys((8, 10, 16, 20, 36, 43, 44, 47, 60, 81, 349), SCHEMA_DRIFT),
    **dict.fromkeys((192, 193, 194, 195, 291, 497, 516), LOGIN),
    # a profile forbids a setting that we need, or the server does not know it
    **dict.fromkeys((115, 164, 452), SETTINGS),
    **dict.fromkeys((159, 160), "timeout"),
    **dict.fromkeys((202, 203), "busy"),
    **dict.fromkeys((201, 290), "quota"),
    **dict.fromkeys((285, 286, 319), "replicas"),
    241: "memory",
    242: "read_only",
    243: "disk_full",
    252: "too_many_parts",
    999: "keeper",
}
_TOO_MANY_PARTS = 252

_OWN_VIEWS = frozenset({"otel_traces_otlp_mv", "otel_traces_trace_id_ts_mv"})
_PUSHING = re.compile(r"while pushing to view (?:`[^`]*`|[^\s.`]+)\.(?:`([^`]*)`|([^\s.`(:]+))")
_STATUS = re.compile(r"HTTP status (\d{3})\b")
_BY_STATUS = {401: LOGIN, 403: LOGIN, 407: LOGIN, 408: "timeout", 429: "busy", 504: "timeout"}
_TOO_LARGE = 413


def verdict(code: int | None, text: str) -> CostspanError:
    """The error to raise for a ClickHouse error code; None = there was no answer of ClickHouse.

    A code that is not in the table is tried again: nothing is lost by an unknown word.
    """
    if code is None:
        return _without_code(text)
    if _foreign_view(text):
        # The rows are in the table already and in that view not: in halves they would be doubled.
        return Unreachable(text, reason=VIEW)
    if code == _TOO_MANY_PARTS and "Too many partitions" in text:
        return Refused(text, TOO_MANY_PARTITIONS)
    if code in _POISON:
        return Refused(text, _POISON[code])
    return Unreachable(text, reason=_WAITS.get(code, "server_error"))


def _without_code(text: str) -> CostspanError:
    """Something before ClickHouse answered, or nothing did."""
    status = _STATUS.search(text)
    if status is None:
        return Unreachable(text, reason=UNREACHABLE)
    if int(status[1]) == _TOO_LARGE:
        return TooLarge(text)
    return Unreachable(text, reason=_BY_STATUS.get(int(status[1]), UNREACHABLE))


def _foreign_view(text: str) -> bool:
    """Whether the innermost view that failed is one that somebody else put behind our tables."""
    found = _PUSHING.search(text)
    return found is not None and (found[1] or found[2]) not in _OWN_VIEWS
