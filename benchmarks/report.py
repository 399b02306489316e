"""From a record to RESULTS.md: tables of what was measured, each target beside its figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tables import Row, heading, number, select, table


class Record(NamedTuple):
    """Everything that one run says; also the shape of the JSON file."""

    date: str
    commit: str
    command: str
    machine: Mapping[str, str]
    load: Sequence[float]  # average of one minute, before and after
    loop_ms: Sequence[float]  # a fixed loop in Python, before and after
    workloads: Mapping[str, Row]
    intake: Sequence[Row]
    start: Row
    whole: Sequence[Row]


class Target(NamedTuple):
    """A figure to reach. `limit` in the figure's unit."""

    text: str
    unit: str
    limit: float
    figure: Callable[[Record], float | None]


def markdown(record: Record) -> str:
    """The page."""
    return (
        "\n\n".join(
            (
                "# Benchmark results",
                heading(record._asdict()),
                "## Targets\n\n" + _targets(record),
                "## The whole process, closed loop\n\n" + _CLOSED + "\n\n" + _closed(record),
                "## The whole process, open loop\n\n" + _OPEN + "\n\n" + _open(record),
                "## The intake by stage\n\n" + _STAGES + "\n\n" + _stages(record),
                "## Workloads\n\n" + _workloads(record),
            )
        )
        + "\n"
    )


_CLOSED = (
    "CPU of the costspan process alone, user and system, until it is idle again and every trace is"
    " closed. `clickhouse` is a stand-in that answers like a server and discards inserts;"
    " `embedded` is the embedded store, whose own process is in the last two columns. Memory in"
    " MiB: resident average and peak, private average. A refused request was sent again, and read"
    " again. Where less was inserted than sent, ClickHouse fell behind and lost its oldest: the"
    " figure is too low."
)
_OPEN = (
    "100 spans a request at a fixed rate. A latency counts from the instant when its request was"
    " due. CPU in per cent of one core: all of it until the process is idle again, over the"
    " seconds of the load."
)
_STAGES = (
    "Process CPU in us per span, best of the rounds, requests that no round repeats. `intake` is"
    " what a client waits for, up to the journal; `heads` and the ledger run in a thread of their"
    " own. 8000 spans are cut into pieces of 4 MB first."
)


def _whole(
    workload: str, spans: int, store: str, key: str, rate: int = 0
) -> Callable[[Record], float | None]:
    """The figure `key` of one case; None if the run did not measure it."""
    wanted = (workload, spans, store, rate)

    def figure(record: Record) -> float | None:
        for row in record.whole:
            if (row["workload"], row["spans"], row["store"], row["rate"]) == wanted:
                return float(row[key])
        return None

    return figure


_TARGETS = (
    Target("Resident memory at rest, OTLP and a DSN", "MiB", 80, lambda r: r.start["resident"]),
    Target("Start-up CPU until ready", "s", 0.6, lambda r: r.start["cpu_seconds"]),
    Target("Resident peak at 10 000 spans/s of W2, OTLP", "MiB", 100,
           _whole("W2", 100, "", "resident_peak", 10_000)),
    Target("Resident peak at 10 000 spans/s of W2, with ClickHouse", "MiB", 100,
           _whole("W2", 100, "clickhouse", "resident_peak", 10_000)),
    Target("Ack p99 at 5 000 spans/s of W2, with ClickHouse", "ms", 50,
           _whole("W2", 100, "clickhouse", "ack_p99_ms", 5000)),
    Target("Acked spans missing at the OTLP destination", "spans", 0,
           lambda r: sum(row["sent"] - row["arrived"] for row in r.whole)),
    Target("Acked spans missing in ClickHouse", "spans", 0,
           lambda r: sum(row["sent"] - row["inserted"] for row in r.whole if row["store"])),
)  # fmt: skip


def _targets(record: Record) -> str:
    rows = []
    for target in _TARGETS:
        figure = target.figure(record)
        measured = "not in this run" if figure is None else f"{number(figure)} {target.unit}"
        met = "" if figure is None else "met" if figure <= target.limit else "**missed**"
        rows.append((f"{target.text}: {target.limit:g} {target.unit}", measured, met))
    ratios = "CPU and memory beside the Collector's: [COLLECTOR.md](COLLECTOR.md)."
    return table(("target (at most)", "measured", ""), rows) + f"\n\n{ratios}"


def _closed(record: Record) -> str:
    columns = {
        "workload": "workload", "spans a request": "spans", "store": "store",
        "us/span": "us_per_span", "spans/s": "spans_per_second", "ack p99 ms": "ack_p99_ms",
        "RSS avg": "resident_average", "peak": "resident_peak", "private": "private_average",
        "refused": "refusals", "sent": "sent", "at the sink": "arrived", "inserted": "inserted",
        "store us/span": "store_us_per_span", "store RSS": "store_resident",
    }  # fmt: skip
    return select(columns, (row for row in record.whole if not row["rate"]))


def _open(record: Record) -> str:
    columns = {
        "workload": "workload", "spans/s": "rate", "store": "store", "CPU %": "cpu_percent",
        "us/span": "us_per_span", "ack p50 ms": "ack_p50_ms", "ack p99 ms": "ack_p99_ms",
        "RSS avg": "resident_average", "peak": "resident_peak", "private": "private_average",
        "sent": "sent", "at the sink": "arrived", "inserted": "inserted",
    }  # fmt: skip
    rest = "At rest, OTLP and a DSN: " + ", ".join(
        f"{name.replace('_', ' ')} {number(value)}" for name, value in record.start.items()
    )
    return select(columns, (row for row in record.whole if row["rate"])) + f"\n\n{rest}."


def _stages(record: Record) -> str:
    found = {(r["stage"], r["workload"], r["spans"]): r for r in record.intake}
    heads = list(dict.fromkeys((workload, spans) for _, workload, spans in found))
    stages = list(dict.fromkeys(stage for stage, _, _ in found))
    rows = [
        (stage, *(number(found[stage, *head]["us_per_span"]) for head in heads)) for stage in stages
    ]
    medians = (found["intake", *head]["us_per_span_median"] for head in heads)
    rows.insert(1, ("intake, median", *map(number, medians)))
    return table(("stage", *(f"{workload} {spans}" for workload, spans in heads)), rows)


def _workloads(record: Record) -> str:
    keys = list(next(iter(record.workloads.values())))
    rows = [
        (name, *(f"{row[key]:.3g}" if row[key] < 1 else number(row[key]) for key in keys))
        for name, row in record.workloads.items()
    ]
    return table(("", *(key.replace("_", " ") for key in keys)), rows)
