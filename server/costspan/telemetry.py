"""Every metric of ours: name, labels, help, in one table. No metric object may live elsewhere.

A custom Prometheus collector reads the instruments (`instruments.py`) at scrape time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import ParamSpec, Protocol, TypeVar, cast

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from costspan.instruments import MAX_SERIES, OVERFLOW, Counter, Gauge, Histogram, Labels

__all__ = ["MAX_SERIES", "OVERFLOW", "Counter", "Gauge", "Histogram", "Labels", "Telemetry"]

Family = Counter | Gauge | Histogram

DOLLARS = (
    0.00001, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 100.0,
)  # fmt: skip
CALLS = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
# gen_ai.client.operation.duration: open-telemetry/semantic-conventions v1.41 gen-ai-metrics.md
SECONDS = tuple(0.01 * 2**n for n in range(14))
FSYNC_SECONDS = tuple(0.00025 * 2**n for n in range(14))
TRACE_SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


class Source(Protocol):
    """Gauges that are cheaper to read at scrape time than to keep up to date."""

    def __call__(self) -> Mapping[Gauge, Mapping[Labels, float]]: ...


_F = TypeVar("_F", bound=Family)
_P = ParamSpec("_P")


def _family(make: Callable[_P, _F], *args: _P.args, **named: _P.kwargs) -> _F:
    """An entry of the table. Its type is that of what every Telemetry makes of it for itself."""
    return cast("_F", partial(make, *args, **named))


class Telemetry(Collector):
    """The table. One instance per process, handed to whoever counts."""

    # money and usage: billed calls, counted once per span
    cost = _family(
        Counter,
        "costspan_cost_usd_total",
        "service_name provider model token_type",
        "Cost of billed calls on arrival, in US dollars.",
        attos=True,
    )
    cost_retracted = _family(
        Counter,
        "costspan_cost_retracted_usd_total",
        "service_name provider model token_type",
        "Cost counted on arrival and later found covered or doubled; net = difference.",
        attos=True,
    )
    tokens = _family(
        Counter,
        "costspan_tokens_total",
        "service_name provider model token_type",
        "Usage of billed calls by disjoint bucket.",
    )
    reasoning_tokens = _family(
        Counter,
        "costspan_reasoning_tokens_total",
        "service_name provider model",
        "Reasoning tokens of billed calls; they lie inside the output tokens.",
    )
    calls = _family(
        Counter,
        "costspan_calls_total",
        "service_name provider model operation status",
        "Model calls, priced or not; status is ok or error.",
    )
    call_duration = _family(
        Histogram,
        "costspan_call_duration_seconds",
        "service_name operation",
        "Duration of model calls by operation.",
        SECONDS,
    )
    call_cost = _family(
        Histogram,
        "costspan_call_cost_usd",
        "service_name model",
        "Cost of one call.",
        DOLLARS,
        attos=True,
    )
    cache_savings = _family(
        Counter,
        "costspan_cache_savings_usd_total",
        "service_name provider model",
        "What cached reads saved against the same call without cache.",
        attos=True,
    )
    cache_surcharge = _family(
        Counter,
        "costspan_cache_surcharge_usd_total",
        "service_name provider model",
        "What cache writes cost more than the same call without cache.",
        attos=True,
    )
    estimated_cost = _family(
        Counter,
        "costspan_estimated_cost_usd_total",
        "service_name provider model",
        "The part of the cost of calls on arrival that rests on another model's list price.",
        attos=True,
    )
    reported_difference = _family(
        Counter,
        "costspan_reported_cost_difference_usd_total",
        "service_name provider model direction",
        "Absolute difference between our cost and the one that the library or gateway reported, by"
        " call; ours is over or under theirs.",
        attos=True,
    )
    reported_calls = _family(
        Counter,
        "costspan_reported_cost_calls_total",
        "service_name provider model agreement",
        "Priced calls whose cost was reported too: agrees (within 1 %) or differs.",
    )
    unpriced_spans = _family(
        Counter,
        "costspan_unpriced_spans_total",
        "provider model reason",
        "Billed calls without a price. Never counted as zero dollars.",
    )
    invalid_usage_spans = _family(
        Counter,
        "costspan_invalid_usage_spans_total",
        "service_name dialect",
        "Spans whose usage contradicts itself: forwarded, flagged, not priced.",
    )
    missing_attributes = _family(
        Counter,
        "costspan_missing_attributes_total",
        "service_name attribute",
        "Model calls that lack an attribute recommended by the GenAI conventions.",
    )
    unknown_gen_ai_keys = _family(
        Counter,
        "costspan_unknown_gen_ai_keys_total",
        "key",
        "Attributes of model calls and agents in the namespace gen_ai that no convention known here"
        " has; after 64 names: other.",
    )
    already_metered_spans = _family(
        Counter,
        "costspan_already_metered_spans_total",
        "service_name",
        "Spans that another costspan had metered: forwarded and stored, not billed.",
    )
    # traces
    trace_cost = _family(
        Histogram,
        "costspan_trace_cost_usd",
        "service_name",
        "Cost of one closed trace.",
        DOLLARS,
        attos=True,
    )
    trace_calls = _family(
        Histogram,
        "costspan_trace_llm_calls",
        "service_name",
        "Model calls per closed trace.",
        CALLS,
    )
    trace_duration = _family(
        Histogram,
        "costspan_trace_duration_seconds",
        "service_name",
        "First start to last end of a closed trace.",
        TRACE_SECONDS,
    )
    traces = _family(
        Counter,
        "costspan_traces_total",
        "service_name reason grade",
        "Traces closed, by reason and grade.",
    )
    open_traces = _family(Gauge, "costspan_open_traces", "", "Traces in the ledger's memory.")
    ledger_bytes = _family(Gauge, "costspan_ledger_bytes", "", "Estimated bytes the ledger holds.")
    held_spans = _family(
        Gauge, "costspan_held_spans", "", "Spans that wait for totals, or are about to leave."
    )
    held_span_bytes = _family(
        Gauge, "costspan_held_span_bytes", "", "Estimated bytes of the spans that wait for totals."
    )
    released_spans = _family(
        Counter,
        "costspan_released_spans_total",
        "outcome",
        "Spans that waited and were let go: with totals (early: those of an agent whose trace was"
        " still open), or without and why: no_totals (no model calls, a second root, a run inside"
        " another of the same agent), late (the trace was closed), limit, timeout, shutdown,"
        " restart, unreadable.",
    )
    trace_signals = _family(
        Counter,
        "costspan_trace_signals_total",
        "service_name signal",
        "Limits that open traces passed: cost, calls, repeats, growth, tool_repeats. The exemplar"
        " names a trace.",
    )
    late_spans = _family(
        Counter,
        "costspan_late_spans_total",
        "kind",
        "Spans of a trace that was closed: warm or cold.",
    )
    announced_spans = _family(
        Counter,
        "costspan_announced_spans_total",
        "",
        "Spans that only say that another has begun (Logfire): forwarded, and part of no trace.",
    )
    duplicate_spans = _family(
        Counter,
        "costspan_duplicate_spans_total",
        "",
        "Usage-bearing spans that had been counted already.",
    )
    evicted_traces = _family(
        Counter,
        "costspan_evicted_traces_total",
        "reason",
        "Traces closed early by a limit of the ledger.",
    )
    checkpoints = _family(
        Counter,
        "costspan_ledger_checkpoints_total",
        "outcome",
        "Checkpoints of the ledger: written, failed; or found on start and not used: damaged, of "
        "a foreign journal, of a newer format.",
    )
    checkpoint_bytes = _family(
        Gauge, "costspan_ledger_checkpoint_bytes", "", "Size of the ledger's newest checkpoint."
    )
    replayed_spans = _family(
        Counter,
        "costspan_ledger_replayed_spans_total",
        "",
        "Spans that the ledger read again after a restart; its other metrics count them once more.",
    )
    # the line: received = accepted + refused
    received = _family(
        Counter,
        "costspan_receiver_received_items_total",
        "transport signal",
        "Spans, metrics and log records that arrived and could be counted.",
    )
    accepted = _family(
        Counter,
        "costspan_receiver_accepted_items_total",
        "transport signal",
        "Items that are in the journal: acked.",
    )
    refused = _family(
        Counter,
        "costspan_receiver_refused_items_total",
        "transport signal reason",
        "Items that the client was told to keep: full, overloaded, draining, self_loop.",
    )
    requests = _family(
        Counter,
        "costspan_receiver_requests_total",
        "transport signal outcome",
        "Export requests: success, refused, undecodable, unsupported, too_large, self_loop,"
        " expired (its client had given up), fault (ours; the client was told to keep it).",
    )
    request_bytes = _family(
        Counter,
        "costspan_receiver_request_bytes_total",
        "transport signal",
        "Uncompressed bytes of accepted requests.",
    )
    headers_left_out = _family(
        Counter,
        "costspan_receiver_headers_left_out_total",
        "transport",
        "Headers named by include_metadata that were too long or too many to travel on.",
    )
    unreadable_requests = _family(
        Counter,
        "costspan_unreadable_requests_total",
        "reason",
        "Requests that only a shallow decode accepts: forwarded alone, verbatim.",
    )
    self_loop_requests = _family(
        Counter,
        "costspan_self_loop_requests_total",
        "transport",
        "Our own requests that came back.",
    )
    intake_errors = _family(
        Counter,
        "costspan_intake_errors_total",
        "stage",
        "Faults while reading, pricing or counting spans, which were forwarded all the same.",
    )
    # per destination: accepted = sent + rejected + dead_lettered + dropped + queued
    exporter_accepted = _family(
        Counter,
        "costspan_exporter_accepted_items_total",
        "exporter signal",
        "Items that entered the journal for this destination; what a restart finds unsent enters"
        " again.",
    )
    sent = _family(
        Counter, "costspan_exporter_sent_items_total", "exporter signal", "Items that it confirmed."
    )
    rejected = _family(
        Counter,
        "costspan_exporter_rejected_items_total",
        "exporter signal",
        "Items that it rejected in a partial success.",
    )
    dead_lettered = _family(
        Counter,
        "costspan_exporter_dead_lettered_items_total",
        "exporter signal reason",
        "Items that it refused for good; `costspan deadletter list` shows those that are kept.",
    )
    dead_letters_lost = _family(
        Counter,
        "costspan_dead_letters_lost_items_total",
        "exporter reason",
        "Dead-lettered items that are in no file any more: max_size (the oldest file went),"
        " write_failed. Without a directory for them none is kept, and none is counted here.",
    )
    dead_letter_bytes = _family(
        Gauge,
        "costspan_dead_letter_bytes",
        "exporter",
        "Size of the files with dead letters.",
    )
    dropped = _family(
        Counter,
        "costspan_exporter_dropped_items_total",
        "exporter signal reason",
        "Items lost: journal_full (oldest dropped), journal_age, journal_corrupt, shutdown.",
    )
    queued = _family(
        Gauge,
        "costspan_exporter_queued_items",
        "exporter signal",
        "Items that wait in the journal.",
    )
    queue_bytes = _family(
        Gauge, "costspan_exporter_queue_bytes", "exporter", "Bytes that wait in the journal."
    )
    queue_age = _family(
        Gauge,
        "costspan_exporter_queue_oldest_seconds",
        "exporter",
        "Age of the oldest item that waits.",
    )
    # the journal on disk
    journal_bytes = _family(
        Gauge, "costspan_journal_bytes", "", "Bytes of the segments in the journal's directory."
    )
    journal_segments = _family(
        Gauge, "costspan_journal_segments", "", "Segments in the journal's directory."
    )
    journal_fsync = _family(
        Histogram,
        "costspan_journal_fsync_seconds",
        "",
        "How long the disk took to make appended frames durable.",
        FSYNC_SECONDS,
    )
    journal_append_failures = _family(
        Counter,
        "costspan_journal_append_failures_total",
        "reason",
        "Times that the disk failed: no_space, io. Clients are asked to come back.",
    )
    journal_cursor_failures = _family(
        Counter,
        "costspan_journal_cursor_failures_total",
        "exporter",
        "Cursors that could not be written; a restart would send again what they confirm.",
    )
    journal_corrupt = _family(
        Counter,
        "costspan_journal_corrupt_records_total",
        "",
        "Stretches of a segment that were found damaged, and stepped over.",
    )
    journal_truncated = _family(
        Counter,
        "costspan_journal_truncated_bytes_total",
        "",
        "Bytes of a record that was cut short when the last process died: never acked.",
    )
    journal_set_aside = _family(
        Counter,
        "costspan_journal_set_aside_bytes_total",
        "",
        "Bytes of segments whose header is damaged, kept as *.damaged.",
    )
    journal_recovered = _family(
        Counter,
        "costspan_journal_recovered_items_total",
        "signal",
        "Items that a start found in the journal.",
    )
    send_failures = _family(
        Counter,
        "costspan_exporter_send_failures_total",
        "exporter reason",
        "Attempts that failed and are tried again.",
    )
    export_requests = _family(
        Counter,
        "costspan_exporter_requests_total",
        "exporter",
        "Requests or inserts that were confirmed.",
    )
    exporter_up = _family(
        Gauge,
        "costspan_exporter_up",
        "exporter",
        "1 if the last attempt of this destination succeeded.",
    )
    clickhouse_rows = _family(
        Counter,
        "costspan_clickhouse_rows_total",
        "exporter table",
        "Rows that ClickHouse confirmed.",
    )
    clickhouse_adjusted = _family(
        Counter,
        "costspan_clickhouse_adjusted_rows_total",
        "exporter table reason",
        "Rows of calls and totals with a value that no column holds, brought into range.",
    )
    clickhouse_expired = _family(
        Counter,
        "costspan_clickhouse_expired_rows_total",
        "exporter table",
        "Rows of calls and totals that were past the table's TTL already: the next merge drops"
        " them.",
    )
    # build and book
    build_info = _family(Gauge, "costspan_build_info", "version python", "Always 1.")
    price_book_info = _family(Gauge, "costspan_price_book_info", "book sha256", "Always 1.")
    price_book_age = _family(
        Gauge,
        "costspan_price_book_age_seconds",
        "",
        "Time since the prices of the book were last reviewed as a whole.",
    )
    rate_card_info = _family(
        Gauge, "costspan_rate_card_info", "id revision sha256", "Always 1; the cards in force."
    )
    price_reloads = _family(
        Counter,
        "costspan_rate_card_reloads_total",
        "result",
        "Times the price book and the rate cards were read again: success or failure.",
    )
    prices_successful = _family(
        Gauge,
        "costspan_rate_card_last_reload_successful",
        "",
        "0 while the files hold a fault and the last good prices stay in force.",
    )
    prices_last_success = _family(
        Gauge,
        "costspan_rate_card_last_success_timestamp_seconds",
        "",
        "When the price book and the rate cards in force were read.",
    )
    rate_card_meter = _family(
        Gauge,
        "costspan_rate_card_meter_usd",
        "id meter unit",
        "Price of one unit of a cost that is on no span, as its rate card states it.",
    )
    metric_overflow = _family(
        Counter,
        "costspan_metric_overflow_total",
        "metric",
        "Label sets beyond the cap of a family.",
    )

    def __init__(self) -> None:
        self._sources: list[Source] = []
        for name, entry in vars(Telemetry).items():
            if isinstance(entry, partial):
                setattr(self, name, entry())

    def families(self) -> list[Family]:
        """Every family, in the order of the table."""
        return [v for v in vars(self).values() if isinstance(v, Counter | Gauge | Histogram)]

    def watch(self, source: Source) -> None:
        """Ask `source` for gauges at every scrape."""
        self._sources.append(source)

    def collect(self) -> Iterator[Metric]:
        for source in self._sources:
            for gauge, values in source().items():
                for labels, value in values.items():
                    gauge.set(value, *labels)
        for family in self.families():
            if family.overflowed and family is not self.metric_overflow:
                seen = self.metric_overflow.exact(family.name)
                self.metric_overflow.add(family.overflowed - seen, family.name)
            yield family.family()
