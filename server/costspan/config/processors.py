"""The keys of `processors`: pricing and the totals of traces. No parsing, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta, field

from costspan.config import forms
from costspan.config.section import MIB, Later, Seconds, Section, Size, about
from costspan.prices.files import PriceFiles


class Cost(Section, frozen=True, kw_only=True):
    """Reading usage, pricing it, writing the attributes."""

    enabled: Annotated[bool, about("Price spans. `false` is pure forwarding.")] = True
    dimensions: Annotated[
        Mapping[str, tuple[str, ...]],
        about(
            "Dimension to the attribute keys it is read from, first found wins; added to the"
            " default ones, of which `[]` removes one."
        ),
    ] = field(default_factory=dict)
    inherit_dimensions: Annotated[
        bool,
        about(
            "Look for the keys of `dimensions` on spans that call no model too, for the calls"
            " below them. Each key costs about 0.2 us for every span."
        ),
    ] = True
    attributes: Annotated[
        Mapping[str, bool], about("Attribute that we write to `false`, to leave it out.")
    ] = field(default_factory=dict)
    remeter: Annotated[
        bool, about("Price spans again that another costspan has already priced.")
    ] = False
    rate_cards: Annotated[
        tuple[str, ...], about("Files with negotiated prices and discounts, aliases and capacity.")
    ] = ()
    price_book: Annotated[
        str | None, about("A file with list prices, in place of the book that ships.")
    ] = None
    reload_interval: Annotated[
        Seconds,
        about("Look this often whether these files have changed; `0` only on SIGHUP."),
    ] = 10.0
    presets: Annotated[Later, about("Attribute names that other back ends read.")] = None

    @property
    def off(self) -> frozenset[str]:
        """The attributes that are switched off."""
        return frozenset(name for name, on in self.attributes.items() if not on)

    @property
    def price_files(self) -> PriceFiles:
        """Where the prices come from."""
        return PriceFiles(self.price_book, self.rate_cards)


class Limits(Section, frozen=True, kw_only=True):
    """What the ledger may hold. Beyond it the oldest trace is closed early, and counted."""

    traces: Annotated[int, Meta(ge=1), about("Open traces.")] = 20_000
    bytes: Annotated[Size, Meta(ge=65_536), about("Estimated memory.")] = 16 * MIB
    spans_per_trace: Annotated[int, Meta(ge=1), about("Spans of one trace.")] = 50_000


class Signals(Section, frozen=True, kw_only=True):
    """Limits of an open trace, 0 = off. One that is passed is told at once: metric and log line."""

    cost_usd: Annotated[float, Meta(ge=0), about("What the trace has cost so far, in USD.")] = 0.0
    llm_calls: Annotated[int, Meta(ge=0), about("Model calls so far.")] = 500
    repeats: Annotated[
        int,
        Meta(ge=0),
        about("An agent's calls in a row to one model with the same number of prompt tokens."),
    ] = 10
    growth_calls: Annotated[
        int, Meta(ge=0), about("An agent's calls in a row, each with a longer prompt, ...")
    ] = 8
    growth_factor: Annotated[
        float, Meta(ge=1), about("... the last so many times as long as the first.")
    ] = 4.0
    tool_repeats: Annotated[
        int, Meta(ge=0), about("Calls of one tool by one agent with the same arguments.")
    ] = 4


class TraceTotals(Section, frozen=True, kw_only=True):
    """When the total of a trace is written, and where to."""

    emit: Annotated[
        tuple[Literal["clickhouse", "metrics", "log_event", "root_span"], ...],
        about(
            "Where totals go; an empty list keeps none. `log_event`: an OTLP log event for each"
            " version of a total and each signal, to every otlp exporter. `root_span`: towards otlp"
            " exporters root spans and agents' spans wait until their trace is closed, and carry"
            " its totals and their agent's."
        ),
    ] = ("clickhouse", "metrics")
    root_grace: Annotated[
        float | None,
        Meta(extra={"form": forms.DURATION}),
        about(
            "Wait after the root: other processes still flush their spans. `6s`, with `root_span`"
            " `10s`."
        ),
    ] = None
    quiet: Annotated[
        float | None,
        Meta(extra={"form": forms.DURATION}),
        about("Wait after the last span, once the root was seen. `5s`, with `root_span` `10s`."),
    ] = None
    root_policy: Annotated[
        Literal["trace", "local"],
        about(
            "What ends a trace. `trace`: its root. `local`: also the span with which a process was"
            " entered; for a costspan that sees the spans of one process only."
        ),
    ] = "trace"
    orphan_wait: Annotated[
        Seconds,
        about("Wait after the last span while a parent is missing that is in the same process."),
    ] = 30.0
    idle: Annotated[Seconds, about("Close a trace without a root after this silence.")] = 300.0
    max_age: Annotated[Seconds, about("Close any trace at this age.")] = 3600.0
    checkpoint: Annotated[
        Seconds,
        about(
            "Write what an open trace has come to at this interval, a large one less often; `0`"
            " only when it is closed."
        ),
    ] = 60.0
    late_window: Annotated[
        Seconds, about("Keep a closed trace this long, so that late spans amend it.")
    ] = 15.0
    limits: Annotated[Limits, about("What the ledger may hold.")] = Limits()
    signals: Annotated[Signals, about("What an open trace is watched for.")] = Signals()
    tool_loops: Annotated[
        bool,
        about(
            "Read every span that says what a tool was called with, to find loops. Without it those"
            " are read that name an agent or a workflow. 20 to 40 us for each further span."
        ),
    ] = False

    @property
    def waits(self) -> tuple[float, float]:
        """`root_grace` and `quiet` in force: a root that has left takes no amendment, so longer."""
        grace, quiet = (10.0, 10.0) if "root_span" in self.emit else (6.0, 5.0)
        return (
            grace if self.root_grace is None else self.root_grace,
            quiet if self.quiet is None else self.quiet,
        )


class Processors(Section, frozen=True, kw_only=True):
    """What happens in between. The line is fixed: there are no pipelines to wire."""

    cost: Annotated[Cost, about("Pricing.")] = Cost()
    trace_totals: Annotated[TraceTotals, about("The running total of every trace.")] = TraceTotals()
