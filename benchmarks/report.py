"""From a record to RESULTS.md: tables of what was measured, each target beside its figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Row = Mapping[str, Any]


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
    """A figure to reach. `limit` in the figure's unit; none for a ratio to the Collector."""

    text: str
    unit: str
    limit: float | None
    figure: Callable[[Record], float | None]


def markdown(record: Record) -> str:
    """The page."""
    return (
        "\n\n".join(
            (
                "# Benchmark results",
                _heading(record),
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


def _heading(record: Record) -> str:
    machine = record.machine
    return "\n".join(
        (
            f"Recorded {record.date} at commit `{record.commit}` by `{record.command}`.",
            (
                f"Machine: {machine['cpu']}, {machine['cores']} cores, Python {machine['python']},"
                f" Linux {machine['kernel']}; load average {_span(record.load)}."
            ),
            (
                "Load generator, sink and stores share its cores with what is measured. A fixed"
                f" loop of Python took (ms) {_span(record.loop_ms)}: compare runs only where this"
                " agrees."
            ),
        )
    )


def _span(pair: Sequence[float]) -> str:
    before, after = pair
    return f"{before:.2f} before and {after:.2f} after"


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


def _ratio(workload: str, spans: int, store: str, rate: int = 0) -> Target:
    load = f"open loop, {rate} spans/s" if rate else f"{spans} spans a request"
    against = "with ClickHouse, against J3" if store else "OTLP and ledger, against J4"
    key, unit = ("cpu_percent", "% of a core") if rate else ("us_per_span", "us/span")
    figure = _whole(workload, spans, store, key, rate)
    return Target(f"{workload}, {load}, {against}: {_RATIOS[workload, spans, store]}",
                  unit, None, figure)  # fmt: skip


_RATIOS = {
    ("W2", 50, ""): "1.2x", ("W2", 512, ""): "1.0x", ("W2", 8000, ""): "1.0x",
    ("W1", 512, ""): "1.3x", ("W2", 100, ""): "1.0x",
    ("W2", 50, "clickhouse"): "1.0x", ("W2", 512, "clickhouse"): "0.7x",
    ("W2", 8000, "clickhouse"): "0.7x", ("W1", 512, "clickhouse"): "1.2x",
    ("W2", 100, "clickhouse"): "0.8x",
}  # fmt: skip

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
    *(_ratio(w, n, store, 10_000 if n == 100 else 0) for w, n, store in _RATIOS),
)  # fmt: skip


def _targets(record: Record) -> str:
    rows = []
    for target in _TARGETS:
        figure = target.figure(record)
        measured = "not in this run" if figure is None else f"{_number(figure)} {target.unit}"
        if target.limit is None:
            rows.append((target.text, measured, "needs the Collector beside it"))
        else:
            met = "" if figure is None else "met" if figure <= target.limit else "**missed**"
            rows.append((f"{target.text}: {target.limit:g} {target.unit}", measured, met))
    return _table(("target (at most)", "measured", ""), rows)


def _closed(record: Record) -> str:
    columns = {
        "workload": "workload", "spans a request": "spans", "store": "store",
        "us/span": "us_per_span", "spans/s": "spans_per_second", "ack p99 ms": "ack_p99_ms",
        "RSS avg": "resident_average", "peak": "resident_peak", "private": "private_average",
        "refused": "refusals", "sent": "sent", "at the sink": "arrived", "inserted": "inserted",
        "store us/span": "store_us_per_span", "store RSS": "store_resident",
    }  # fmt: skip
    return _select(columns, (row for row in record.whole if not row["rate"]))


def _open(record: Record) -> str:
    columns = {
        "workload": "workload", "spans/s": "rate", "store": "store", "CPU %": "cpu_percent",
        "us/span": "us_per_span", "ack p50 ms": "ack_p50_ms", "ack p99 ms": "ack_p99_ms",
        "RSS avg": "resident_average", "peak": "resident_peak", "private": "private_average",
        "sent": "sent", "at the sink": "arrived", "inserted": "inserted",
    }  # fmt: skip
    rest = "At rest, OTLP and a DSN: " + ", ".join(
        f"{name.replace('_', ' ')} {_number(value)}" for name, value in record.start.items()
    )
    return _select(columns, (row for row in record.whole if row["rate"])) + f"\n\n{rest}."


def _stages(record: Record) -> str:
    found = {(r["stage"], r["workload"], r["spans"]): r for r in record.intake}
    heads = list(dict.fromkeys((workload, spans) for _, workload, spans in found))
    stages = list(dict.fromkeys(stage for stage, _, _ in found))
    rows = [
        (stage, *(_number(found[stage, *head]["us_per_span"]) for head in heads))
        for stage in stages
    ]
    medians = (found["intake", *head]["us_per_span_median"] for head in heads)
    rows.insert(1, ("intake, median", *map(_number, medians)))
    return _table(("stage", *(f"{workload} {spans}" for workload, spans in heads)), rows)


def _workloads(record: Record) -> str:
    keys = list(next(iter(record.workloads.values())))
    rows = [
        (name, *(f"{row[key]:.3g}" if row[key] < 1 else _number(row[key]) for key in keys))
        for name, row in record.workloads.items()
    ]
    return _table(("", *(key.replace("_", " ") for key in keys)), rows)


def _select(columns: Mapping[str, str], rows: Iterable[Row]) -> str:
    return _table(tuple(columns), [[_number(row[key]) for key in columns.values()] for row in rows])


def _number(value: float | str) -> str:
    if isinstance(value, str):
        return value or "none"
    return f"{value:.0f}" if isinstance(value, int) or value >= 100 else f"{value:.2f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
