"""OTLP bytes in, OTLP bytes out: the only room that knows protobuf's wire.

`scan`, `splice`, `heads` and `block` are the seam: a compiled twin may replace these four.
"""

from costspan.wire.apart import Apart, set_apart
from costspan.wire.block import block
from costspan.wire.heads import HEAD, HEAD_SIZE, Head, heads, links, unpack_heads
from costspan.wire.nested import nested
from costspan.wire.places import place
from costspan.wire.request import count, cut, each, halve, readable
from costspan.wire.scan import scan
from costspan.wire.splice import splice
from costspan.wire.told import told
from costspan.wire.values import encode_attribute

__all__ = [
    "HEAD",
    "HEAD_SIZE",
    "Apart",
    "Head",
    "block",
    "count",
    "cut",
    "each",
    "encode_attribute",
    "halve",
    "heads",
    "links",
    "nested",
    "place",
    "readable",
    "scan",
    "set_apart",
    "splice",
    "told",
    "unpack_heads",
]
