"""From a record of costspan beside the Collector to COLLECTOR.md and the README's table. No runs.

A ratio is costspan's figure over the Collector's, of the same round: below 1 costspan is cheaper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple

from tables import Row, heading, number, select, table

OURS, OURS_STORED = "costspan", "costspan + ClickHouse"
BEGIN, END = "<!-- bench-collector -->", "<!-- /bench-collector -->"


class Record(NamedTuple):
    """Everything that one run says; also the shape of the JSON file."""

    date: str
    commit: str
    command: str
    collector: str
    machine: Mapping[str, str]
    load: Sequence[float]  # average of one minute, before and after
    loop_ms: Sequence[float]  # a fixed loop in Python, before and after
    rows: Sequence[Row]  # a job under a load in a round: `round`, `job`, the case, its cost

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.date}-{self.commit.rstrip('+')}-collector.json"


class Goal(NamedTuple):
    """At most so much, and what we aim for."""

    must: float
    aim: float
    unit: str = "x"

    def verdict(self, figure: float) -> str:
        """Of the figure as it is shown: two digits after the point."""
        shown = round(figure, 2)
        if shown > self.must:
            return "**missed**"
        return "met" if shown > self.aim else "met, aim too"

    def __str__(self) -> str:
        return f"{self.must}{self.unit} ({self.aim})"


class Goals(NamedTuple):
    """Of one load."""

    processing: Goal  # CPU of OTLP and ledger against J4
    storing: Goal  # CPU with ClickHouse against J3
    memory: Goal


class Load(NamedTuple):
    """What is sent. `rate` 0: as fast as it is taken."""

    workload: str
    spans: int
    rate: int = 0

    def __str__(self) -> str:
        load = f"{self.rate} spans/s" if self.rate else f"{self.spans} spans a request"
        return f"{self.workload}, {load}"

    def chosen(self, row: Row) -> bool:
        return (row["workload"], row["spans"], row["rate"]) == self


_MIXED = Goals(Goal(1.0, 0.6), Goal(0.7, 0.5), Goal(0.6, 0.6))
# None: measured and shown, without a target. Of the open loop the memory is a figure, not a ratio.
LOADS: Mapping[Load, Goals | None] = {
    Load("W2", 512): _MIXED,
    Load("W2", 8000): _MIXED,
    Load("W2", 50): Goals(Goal(1.2, 1.0), Goal(1.0, 0.8), Goal(0.6, 0.6)),
    Load("W1", 512): Goals(Goal(1.3, 1.0), Goal(1.2, 0.9), Goal(0.5, 0.5)),
    Load("W1", 50): None,
    Load("W1", 8000): None,
    Load("W2", 100, 10_000): Goals(Goal(1.0, 0.7), Goal(0.8, 0.6), Goal(100, 75, " MiB")),
}


class Spread(NamedTuple):
    """The median over the rounds, and the extremes."""

    middle: float
    low: float
    high: float

    def text(self, unit: str = "x") -> str:
        return f"{number(self.middle)}{unit}"

    def full(self, unit: str = "x") -> str:
        return f"{self.text(unit)} ({number(self.low)} to {number(self.high)})"


def measured(record: Record, load: Load, job: str, key: str) -> dict[int, float]:
    """The figure of one job under one load, by round."""
    return {
        row["round"]: float(row[key])
        for row in record.rows
        if row["job"] == job and load.chosen(row)
    }


def ratio(record: Record, load: Load, key: str, ours: str, theirs: str) -> Spread:
    """Of each round, of neighbours in time: a machine that drifts does not drift between them.

    Raises ValueError if no round measured both.
    """
    mine, others = measured(record, load, ours, key), measured(record, load, theirs, key)
    return _spread(record, load, [mine[n] / others[n] for n in mine.keys() & others.keys()])


def _spread(record: Record, load: Load, found: Sequence[float]) -> Spread:
    if not found:
        raise ValueError(f"expected figures for {load} in {record.name}, saw none")
    return Spread(median(found), min(found), max(found))


class _Judged(NamedTuple):
    """What the design asks of one load, found and judged."""

    text: str
    spread: Spread
    goal: Goal | None

    def cells(self, show: Callable[[Spread, str], str]) -> tuple[str, str, str]:
        if self.goal is None:
            return show(self.spread, "x"), "", ""
        goal = self.goal
        return show(self.spread, goal.unit), str(goal), goal.verdict(self.spread.middle)


def _judged(record: Record, load: Load, goals: Goals | None) -> list[_Judged]:
    """Both ratios of CPU and both of memory."""
    pairs = (("OTLP and ledger", OURS, "J4"), ("with ClickHouse", OURS_STORED, "J3"))
    found = []
    for index, (text, ours, theirs) in enumerate(pairs):
        spread = ratio(record, load, "us_per_span", ours, theirs)
        found.append(_Judged(f"CPU, {text} / {theirs}", spread, goals and goals[index]))
    for text, ours, theirs in pairs:
        if load.rate:
            peaks = list(measured(record, load, ours, "resident_peak").values())
            spread = _spread(record, load, peaks)
            found.append(_Judged(f"peak memory, {text}", spread, goals and goals.memory))
        else:
            spread = ratio(record, load, "resident_average", ours, theirs)
            found.append(_Judged(f"memory, {text} / {theirs}", spread, goals and goals.memory))
    return found


def readme_table(record: Record) -> str:
    """What the README shows between its markers."""
    head = (
        "load",
        "CPU / J4",
        "must",
        "with ClickHouse: CPU / J3",
        "must",
        "memory / J4, J3",
        "must",
    )
    rows = []
    for load, goals in LOADS.items():
        cells = [each.cells(Spread.text) for each in _judged(record, load, goals)]
        figures = [f"**{text}**" if "missed" in verdict else text for text, _, verdict in cells]
        musts = [goal.partition(" (")[0] for _, goal, _ in cells]
        memories = ", ".join(figures[2:])
        rows.append((str(load), figures[0], musts[0], figures[1], musts[1], memories, musts[2]))
    rounds = len({row["round"] for row in record.rows})
    told = (
        f"Ratios, the Collector's figure = 1, medians of {rounds} round{'s' if rounds > 1 else ''};"
        " **bold** misses its must. J4: the Collector prices in OTTL and groups by trace; J3: it"
        " prices and writes ClickHouse. W2: a tenth of the spans are model calls; W1: all are."
        f" [All figures](benchmarks/COLLECTOR.md) · [record](benchmarks/results/{record.name})"
    )
    return f"{table(head, rows)}\n\n{told}"


def place(text: str, record: Record) -> str:
    """The README with the record's table. Raises ValueError if it has no place for it."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected {BEGIN} and {END} in the README, saw no such place")
    return f"{before}{BEGIN}\n{readme_table(record)}\n{END}{after}"


def markdown(record: Record) -> str:
    """The page."""
    rows = [
        (str(load), judged.text, *judged.cells(Spread.full))
        for load in _loads(record)
        for judged in _judged(record, load, LOADS[load])
    ]
    targets = table(("load", "ratio", "median (range)", "must (aim)", ""), rows)
    priced = [
        (str(load), ratio(record, load, "us_per_span", OURS, "J2").full())
        for load in _loads(record)
    ]
    more = table(("load", "CPU, OTLP and ledger / J2"), priced)
    collector = f"Collector: {record.collector}, built from `collector-config/builder.yaml`."
    parts = (
        "# costspan beside the OpenTelemetry Collector",
        f"{heading(record._asdict())}\n{collector}",
        f"## Ratios\n\n{_RATIOS}\n\n{targets}",
        f"Against pricing alone, without any grouping by trace:\n\n{more}",
        f"## The jobs\n\n{_JOBS}",
        f"## Closed loop\n\n{_CLOSED}\n\n{_figures(record, is_open=False)}",
        f"## Open loop\n\n{_OPEN}\n\n{_figures(record, is_open=True)}",
    )
    return "\n\n".join(parts) + "\n"


def _loads(record: Record) -> list[Load]:
    """Those that the run has measured."""
    return [load for load in LOADS if any(map(load.chosen, record.rows))]


def _figures(record: Record, *, is_open: bool) -> str:
    columns = {
        "workload": "workload", "spans a request": "spans", "job": "job", "round": "round",
        "us/span": "us_per_span", "CPU %": "cpu_percent", "spans/s": "spans_per_second",
        "ack p50 ms": "ack_p50_ms", "p99": "ack_p99_ms", "RSS avg": "resident_average",
        "peak": "resident_peak", "refused": "refusals", "sent": "sent", "at the sink": "arrived",
        "inserted": "inserted",
    }  # fmt: skip
    order = list(LOADS)
    rows = [row for row in record.rows if bool(row["rate"]) is is_open]
    rows.sort(key=lambda row: (
        order.index(Load(row["workload"], row["spans"], row["rate"])), row["job"], row["round"]
    ))  # fmt: skip
    return select(columns, rows)


_RATIOS = (
    "costspan's figure over the Collector's in the same round, the median of the rounds and their"
    " range. CPU per span is of the whole process until it rests; memory is the average resident"
    " while the load lasts, in the open loop the peak in MiB."
)
_JOBS = """\
| | what it does |
| --- | --- |
| J1 | OTLP in, batches of 8192 or 200 ms, OTLP out |
| J2 | J1 and prices in OTTL: cached tokens taken out, four models, four attributes |
| J3 | J2 and the ClickHouse exporter |
| J4 | J2, grouped by trace and counted by model; it totals no cost |
| costspan | all that it does by default: dialects, exact prices with provenance, trace totals |
| costspan + ClickHouse | the same, with spans, calls and totals to ClickHouse |

The Collector's configurations are in `jobs/`. On both sides: no compression on any hop, since all
are loopback; queues that block rather than drop; the same sink, and the same ClickHouse stand-in,
which discards inserts. costspan may let ClickHouse decode OTLP itself, which costs the server more
than the Collector's blocks do: that is not in these figures. W1 is model calls only, with prompts
of 2 KB; W2 is a tenth model calls, a fifth tool calls, the rest HTTP and database spans."""
_CLOSED = (
    "As fast as the acks come. CPU in per cent of one core over the seconds of the load, what came"
    " after it included. A refused request was sent again. What is missing at the sink was acked"
    " and lost. Memory in MiB."
)
_OPEN = "100 spans a request at a fixed rate. A latency counts from when its request was due."
