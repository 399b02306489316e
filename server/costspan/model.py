"""The shapes that pass between rooms, and the ports. No behaviour beyond a codec, no I/O.

Money is an int of 10^-18 USD ("attos") wherever it is counted. Inside a record that is stored as
msgpack it is the decimal text of that int (`""` = unknown): msgpack's integers end at 2^64, which
is 18 dollars. Times are nanoseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

# --- what the wire hands over --------------------------------------------------------------------

Value = str | int | float | bool | bytes | list["Value"] | dict[str, "Value"] | None
"""An attribute value, decoded: AnyValue's arrays are lists, its kvlists are dicts."""


class Wanted(NamedTuple):
    """What `scan` has to look for. A span is opened only if its raw bytes hold one of `markers`."""

    markers: tuple[bytes, ...]
    keys: frozenset[str]  # span attributes, exact
    prefixes: tuple[str, ...]  # span attributes, by prefix
    long_keys: frozenset[str]  # subset of keys whose values may be long (JSON); others are capped
    resource_keys: frozenset[str]  # "" alone = all
    own_keys: frozenset[str]  # the attributes that we write, or that leave one of them no place
    # Span attributes in namespaces that we claim to know, and know nothing of, are handed over too;
    # past a fixed number of names they all come as OTHER.
    namespaces: tuple[str, ...] = ()
    familiar: tuple[str, ...] = ()  # how those keys begin there that are of no interest
    # (key, value, other): of spans on which `key` is that text `other` is read as well, however
    # long. On all other spans it costs nothing: it may be a prompt.
    conditional: tuple[tuple[str, str, str], ...] = ()


OTHER = "other"


class Hit(NamedTuple):
    """One span that carries a marker. Its values are what it says, unjudged."""

    ordinal: int  # position in document order
    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    name: str
    kind: int
    start_ns: int
    end_ns: int
    status: int  # 0 unset, 1 ok, 2 error
    flags: int
    scope: tuple[str, str]  # name, version
    resource: Mapping[str, Value]
    values: Mapping[str, Value]
    own: Mapping[str, Value]
    dropped: int = 0  # attributes that its SDK had no room for


# --- a model call --------------------------------------------------------------------------------
# gc=False: these records cannot form cycles, and thousands of them are alive at once. Untracked, a
# call costs the ledger about a tenth less to take in (three pairs of runs, CPython 3.11).


class Line(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One line of a cost: quantity x usd_per_unit = usd, all exact."""

    unit: str
    quantity: int
    usd_per_unit: str  # attos
    usd: str  # attos


class Charge(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The price of one call, as quoted when it arrived. `total` is "" unless it is known."""

    status: str = (
        "unpriced"  # priced unpriced invalid_usage provider_reported provisioned estimated
    )
    reason: str = ""  # only when unpriced: the closed enum of costspan_pricing.Reason
    total: str = ""  # attos
    list_total: str = ""  # attos, before contract and discounts
    savings: str = ""  # attos: the same call without cache, minus what was paid
    lines: tuple[Line, ...] = ()
    price_ref: str = ""
    priced_model: str = ""  # the book's name of the model that was priced
    modifiers: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    effective_total: str = ""  # attos, only where it is not the total: read `effective`
    showback_total: str = ""  # attos: what is charged on internally; "" = no rule for it

    @property
    def attos(self) -> int | None:
        """The total in 10^-18 USD, or None when it is unknown."""
        return int(self.total) if self.total else None

    @property
    def effective(self) -> str:
        """attos, with what was paid up front spread over its use; "" if nobody knows how to."""
        if self.effective_total or self.status == "provisioned":
            return self.effective_total
        return self.total


class Identity(msgspec.Struct, array_like=True, gc=False):
    """Who a span belongs to; "" = it says nothing. The ledger fills gaps from the spans above."""

    agent: str = ""
    workflow: str = ""
    tool: str = ""
    user: str = ""
    session: str = ""
    conversation: str = ""
    dimensions: dict[str, str] = {}
    defaults: tuple[str, ...] = ()  # dimensions of its resource alone: a span above goes first


LEAF = "leaf"  # an inference call: billed
AGGREGATE = "aggregate"  # repeats the usage below it: billed only if nothing below was
CUMULATIVE = "cumulative"  # a running sum over earlier spans
TOKEN_COUNTER = "token_counter"  # noqa: S105 (a span class): counts tokens, calls no model
ALREADY_METERED = "already_metered"  # another costspan wrote its price_ref on it
WITNESS = "witness"  # no usage at all; carried because it says whose the calls below are
PENDING = "pending"  # no span: it was sent when the span above it began, which has not ended yet

PROVISIONAL = 0
"""The version of a call whose request showed it to be a double, or did not show where it is: any
other row of it is heavier."""


class LlmCall(msgspec.Struct, array_like=True, gc=False):
    """Decision and evidence about one span that carries usage.

    Or that says whose the calls below it are (WITNESS), or that another has begun (PENDING).
    """

    ordinal: int
    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    name: str
    kind: int
    start_ns: int
    end_ns: int
    status: int
    scope_name: str
    scope_version: str
    service: str
    dialect: str
    convention: str  # inclusive | exclusive | disjoint
    decided_by: str  # the step that decided it
    operation: str
    provider: str  # canonical
    request_model: str
    response_model: str
    response_id: str
    role: str  # LEAF, AGGREGATE, ...
    usage: dict[str, int] | None  # disjoint buckets that are not zero; None = unknown
    cache_status: str  # hit | write | miss | ""
    context: dict[str, str]  # tier batch speed geo region search, only those stated
    identity: Identity
    charge: Charge = Charge()
    reported_cost: str = ""  # attos, only when its unit is USD
    error_type: str = ""
    missing: tuple[str, ...] = ()  # recommended attributes that the span lacks
    invalid: str = ""  # why the usage is nonsense; "" = it is not
    billed: bool = True  # as far as known when written; the ledger corrects it
    billed_reason: str = LEAF
    version: int = 1  # 1 = as priced on arrival; PROVISIONAL; corrections by the ledger are higher
    gateway: str = ""  # who answered it from a cache of its own, so that no provider billed it
    unknown: tuple[str, ...] = ()  # its gen_ai.* attributes that no convention of ours knows
    cumulative: bool = False  # its emitter adds up: the usage contains that of earlier spans
    dropped: int = 0  # attributes of the span that its SDK had no room for
    cut: tuple[str, ...] = ()  # attributes whose JSON ends in the middle
    transaction: bytes = b""  # id of the entry span above it; b"" = not known when it was written
    root: bytes = b""  # id of the span without a parent above it, likewise
    arguments: bytes = b""  # of a tool's span: hash of what it was called with; b"" = not stated


_CALLS_FORMAT = (
    1  # fields may be added at the end: older records lack them, older readers skip them
)
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[int, list[LlmCall]])


def encode_calls(calls: Sequence[LlmCall]) -> bytes:
    """The records of one frame; b"" if there are none."""
    return _encoder.encode((_CALLS_FORMAT, calls)) if calls else b""


def decode_calls(data: bytes) -> list[LlmCall]:
    """The inverse of `encode_calls`. Raises ValueError on an unknown format."""
    if not data:
        return []
    version, calls = _decoder.decode(data)
    if version != _CALLS_FORMAT:
        raise ValueError(f"call records of format {version}, expected {_CALLS_FORMAT}")
    return calls


# --- a trace -------------------------------------------------------------------------------------


class Tally(msgspec.Struct, array_like=True, gc=False):
    """Cost, calls and usage under one key (a model, an agent). Sums of billed calls only."""

    cost: str = "0"  # attos; the sum of what is priced
    calls: int = 0  # billed calls, unpriced ones too
    usage: dict[str, int] = {}


class TransactionTotals(msgspec.Struct, array_like=True, gc=False):
    """What one entry span of a trace set off: see `ledger.places`. Sums of billed calls only."""

    span_id: bytes  # of the entry span; b"" = all that go beyond the number that is told apart
    service: str  # the entry span's, if it carries a record, else of the earliest call
    name: str  # "" unless the entry span carries a record
    start_ns: int
    end_ns: int
    calls: int
    unpriced_calls: int
    cost: str  # attos
    list_cost: str  # attos
    effective_cost: str  # attos
    cache_savings: str  # attos
    error_cost: str  # attos
    usage: dict[str, int]


class BranchTotals(msgspec.Struct, array_like=True, gc=False):
    """A span with billed calls below it, and what it costs with all of them."""

    span_id: bytes
    parent_span_id: bytes
    name: str  # "" unless the span carries a record
    agent: str  # whose it is, "" if that is not known
    depth: int  # 0 = nothing is above it
    preorder: int  # from 1: parents first, siblings by start, then by id
    own_cost: str  # attos
    cost: str  # attos, with all below
    calls: int
    input_tokens: int
    output_tokens: int


class TraceTotals(msgspec.Struct, array_like=True, gc=False):
    """One cumulative snapshot of a trace by one writer; a newer version replaces an older one."""

    trace_id: bytes
    writer: str
    generation: int  # journal seq of the generation's first frame
    version: int  # strictly monotone per (trace, writer, generation)
    reason: str  # why it was written: root_quiet idle_no_root shutdown amend ...
    grade: str  # verified | quiet | forced | open
    arrived_ns: (
        int  # arrival of the generation's first span: immutable, the sort and partition time
    )
    start_ns: int
    end_ns: int
    service: str  # of the root, else of the earliest call
    root_name: str
    spans: int
    errors: int
    llm_calls: int  # billed, unpriced ones too
    unpriced_calls: int
    cost: str  # attos
    list_cost: str  # attos
    cache_savings: str  # attos
    error_cost: str  # attos: billed calls that ended in error
    usage: dict[str, int]
    by_model: dict[str, Tally]
    by_agent: dict[str, Tally]
    workflow: str = ""
    user: str = ""
    session: str = ""
    conversation: str = ""
    flags: tuple[str, ...] = ()  # those of a Rollup
    effective_cost: str = ""  # attos, as Charge.effective_total: "" = cost
    dimensions: dict[str, str] = {}
    by: dict[str, dict[str, Tally]] = {}  # further facets (tool, dimension.team, ...) -> value
    agents: dict[str, Tally] = {}  # what each agent set off; these overlap
    transactions: tuple[TransactionTotals, ...] = ()  # together they are the trace
    branches: tuple[BranchTotals, ...] = ()  # inner spans only; the topmost if there are too many
    retries: int = 0  # calls that failed and were made again
    retry_cost: str = "0"  # attos
    # Of a whole trace, made from the store: the sum of the versions of the parts that it was made
    # of, and stands for as long as they add up to it. 0 = this is a part.
    settles: int = 0
    root_span_id: bytes = b""  # b"" = the root has not been seen
    failed_cost: str = "0"  # attos: at or below spans that ended in an error
    repeated_tools: int = 0  # tool calls that repeat an earlier one of a loop
    repeated_tool_cost: str = "0"  # attos: at or below those
    coordination_cost: str = "0"  # attos: own cost of agents that have other agents below them
    llm_duration_ns: int = 0  # of all billed calls
    llm_busy_ns: int = 0  # time in which at least one of them ran


class AgentTotals(NamedTuple):
    """What an outermost span of an agent came to, with all that is below it. Money in attos."""

    name: str
    cost: int
    own_cost: int  # of the agent's own calls, those of agents below it left out
    calls: int  # billed ones, unpriced ones too
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    grade: str  # as of the trace when it was told


class Signal(NamedTuple):
    """An open trace has passed a limit."""

    trace_id: bytes
    span_id: bytes  # of the call with which it did
    service: str
    name: str  # cost | calls | repeats | growth | tool_repeats
    value: float
    limit: float
    at: int  # ns since the epoch


# --- the journal ---------------------------------------------------------------------------------

TRACES, METRICS, LOGS, PROFILES = "traces", "metrics", "logs", "profiles"
CALL_ROWS = "call_rows"  # OWN: body = encode_calls(corrections)
TRACE_TOTALS = "trace_totals"  # OWN: body = encode_totals(...)
# Spans that wait for totals: as they came, for stores and the ledger; and as they leave, for
# destinations that get them late. Bodies are requests of traces.
HELD, RELEASED = "held_spans", "released_spans"
SOLO, OWN = 1, 2
_SPOKEN = {CALL_ROWS: "corrected calls", TRACE_TOTALS: "trace totals"}
_SPOKEN |= dict.fromkeys((HELD, RELEASED), "spans that waited")


def in_words(signal: str) -> str:
    """What a signal is called where people read of it."""
    return _SPOKEN.get(signal, signal)


Metadata = tuple[tuple[str, str], ...]


class Frame(NamedTuple):
    """One accepted request, or a piece of it. `seq` is 0 until it is in the journal."""

    seq: int
    received_ns: int
    signal: str
    flags: int
    metadata: Metadata
    body: bytes
    calls: bytes
    items: int  # spans, metrics, log records or rows: what the accounting identity counts


class ReaderSpec(NamedTuple):
    """One reader of the journal: which signals it takes, and what happens when it falls behind."""

    name: str
    takes: frozenset[str]
    when_full: str  # backpressure | drop_oldest
    counted: bool = True  # a destination, which owes the accounting identity; the ledger is none
    releases: bool = False  # what it committed comes again after a restart, unless it released it
    awaits: frozenset[str] = frozenset()  # it commits behind these signals: it never refuses them


class Backlog(NamedTuple):
    """How far a reader is behind, in frames that it takes."""

    frames: int
    items: int
    bytes: int
    oldest_ns: int  # received_ns of its oldest unread frame, 0 if none
    dropped_items: int  # lost by drop_oldest since the start
    cursor: int = 0  # nothing that it takes is left up to this seq: committed, released or dropped


class Journal(Protocol):
    """The one place where data waits. Every method may be called from any thread."""

    @property
    def identity(self) -> str:
        """32 hex digits that live as long as what the journal holds: a part of row keys."""
        ...

    @property
    def newest(self) -> int:
        """The seq of the newest frame, 0 if there has never been one."""
        ...

    def append(self, frames: Sequence[Frame]) -> int:
        """Return the last seq once all frames are as durable as configured.

        Raises Full, Draining or Unwritable: then no reader ever sees any of them.
        """
        ...

    def admit(self, signal: str, size: int) -> None:
        """Raise what an append of `size` bytes would: asked before the work."""
        ...

    def read(self, reader: str, max_bytes: int, timeout: float) -> list[Frame]:
        """Frames after the cursor that it takes, oldest first, up to max_bytes (at least one).

        Waits up to `timeout` seconds for the first. Reading does not move the cursor: without a
        commit the same frames come again.
        """
        ...

    def plan(self, reader: str, seq: int) -> None:
        """What was read up to `seq` is about to be tried as one round.

        After a restart the first read of that reader ends there, so that the same frames make the
        same deliveries. A journal that does not outlive its process forgets it.
        """
        ...

    def commit(self, reader: str, seq: int) -> None:
        """Everything up to `seq` is done for this reader: the next read goes on behind it.

        After a restart too, but for a reader that `releases`.
        """
        ...

    def release(self, reader: str, seq: int) -> None:
        """A reader that `releases` needs nothing up to `seq` again, not even after a restart.

        What it committed and did not release is the first to go when the journal is full: that is
        no loss and is not counted. After a restart `backlog(reader).cursor` tells what is gone.
        """
        ...

    def recovered(self, signal: str) -> Iterator[Frame]:
        """What an earlier process left behind, of one signal and in order, whoever has read it."""
        ...

    def backlog(self, reader: str) -> Backlog: ...

    def pinned(self, reader: str) -> int:
        """Bytes of the journal's room that are not free before this reader commits."""
        ...

    def trouble(self) -> str:
        """What is wrong with it, as a sentence for whoever runs it; "" if nothing is."""
        ...

    def close(self) -> None:
        """Wake every waiting reader; later appends raise Draining. Readers may go on."""
        ...

    def end(self) -> None:
        """Give up what it holds of the machine. Called last: readers can't go on."""
        ...


_totals_encoder = msgspec.msgpack.Encoder()
_totals_decoder = msgspec.msgpack.Decoder(tuple[int, list[TraceTotals]])


def encode_totals(totals: Sequence[TraceTotals]) -> bytes:
    """The body of a TRACE_TOTALS frame."""
    return _totals_encoder.encode((_CALLS_FORMAT, totals))


def decode_totals(data: bytes) -> list[TraceTotals]:
    """The inverse of `encode_totals`. Raises ValueError on an unknown format."""
    version, totals = _totals_decoder.decode(data)
    if version != _CALLS_FORMAT:
        raise ValueError(f"trace totals of format {version}, expected {_CALLS_FORMAT}")
    return totals
