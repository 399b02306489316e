"""What an application notices of costspan: latency of its own requests, and CPU.

`python benchmarks/application.py [--rounds N]` writes APPLICATION.md. The application is that of
the tests (tests/integration/working_app.py): requests that fall due at a fixed rate, each a span
and three model calls, traced by the OpenTelemetry SDK with its defaults.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from machine import commit, loop_ms, machine
from tables import heading, table

_HERE = Path(__file__).parent
sys.path.insert(0, str(_HERE.parent / "tests"))

from costspan.demo.line import free_ports  # noqa: E402  (found by the line above)
from integration.lines import otlp, running  # noqa: E402
from integration.otlp_sink import OtlpSink  # noqa: E402
from integration.working import TROUBLES, App, Seen, Work, recover  # noqa: E402

_WORK = Work(requests=1_000, rate=100, milliseconds=3)
_UNTIL_TROUBLE = 2.0  # seconds
_NOBODY, _NO_EXPORTER = "absent", "no exporter"
_CASES = (_NO_EXPORTER, *TROUBLES, _NOBODY)


class Figures(NamedTuple):
    """Of one run; milliseconds."""

    p50: float
    p99: float
    worst: float
    cpu: float  # of a request
    failures: int
    exported: float  # share of the spans

    @classmethod
    def of(cls, seen: Seen) -> Figures:
        ordered = sorted(seen.latencies)
        return cls(
            p50=ordered[len(ordered) // 2] * 1e3,
            p99=ordered[len(ordered) * 99 // 100] * 1e3,
            worst=ordered[-1] * 1e3,
            cpu=seen.cpu / seen.requests * 1e3,
            failures=seen.failures,
            exported=len(seen.exported) / seen.spans,
        )


def main() -> None:
    """Take the cases in turn, so many rounds, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    loop, load = loop_ms(), os.getloadavg()[0]
    runs = [(case, Figures.of(run(case))) for _ in range(rounds) for case in _CASES]
    record = {
        "date": str(datetime.now(UTC).date()),
        "commit": commit(),
        "command": f"python benchmarks/application.py --rounds {rounds}",
        "machine": machine(),
        "load": (load, os.getloadavg()[0]),
        "loop_ms": (loop, loop_ms()),
    }
    text = _TEXT.format(heading=heading(record), table=table(_HEAD, _rows(runs)))
    (_HERE / "APPLICATION.md").write_text(text, encoding="utf-8")
    print(text)


def run(case: str) -> Seen:
    """One run of the application."""
    if case == _NO_EXPORTER:
        return App(None, _WORK, {}).result()
    if case == _NOBODY:
        return App(free_ports().grpc, _WORK, {}).result()
    with tempfile.TemporaryDirectory() as folder, OtlpSink() as sink:
        journal = {"directory": str(Path(folder) / "journal")}
        with running(Path(folder), {"otlp": otlp(sink.endpoint)}, journal=journal) as line:
            app = App(line.ports.grpc, _WORK, {})
            threading.Event().wait(_UNTIL_TROUBLE)
            TROUBLES[case](line)
            seen = app.result()
            recover(line, case)
            return seen


def _rows(runs: Sequence[tuple[str, Figures]]) -> Iterator[Sequence[str]]:
    for case in _CASES:
        figures = [found for name, found in runs if name == case]
        p50, p99, cpu = (median(getattr(f, n) for f in figures) for n in ("p50", "p99", "cpu"))
        exported = "" if case == _NO_EXPORTER else f"{median(f.exported for f in figures):.0%}"
        worst, failures = max(f.worst for f in figures), sum(f.failures for f in figures)
        yield (
            case,
            f"{p50:.2f}",
            f"{p99:.2f}",
            f"{worst:.1f}",
            f"{cpu:.2f}",
            str(failures),
            exported,
        )


_HEAD = (
    "costspan is",
    "p50 ms",
    "p99 ms",
    "worst ms",
    "CPU of the application, ms a request",
    "failed requests",
    "spans exported",
)
_TEXT = f"""# What the application notices

{{heading}}

An application with {_WORK.rate:.0f} requests a second, {_WORK.milliseconds:.0f} ms of CPU and four
spans each, traced by the OpenTelemetry SDK with its defaults (`BatchSpanProcessor`, OTLP/gRPC).
costspan, with a journal on disk, runs beside it on the same cores. After {_UNTIL_TROUBLE:.0f} of
{_WORK.requests / _WORK.rate:.0f} s it is killed (SIGKILL), stopped (SIGSTOP), or left alone. A
latency counts from the time at which the request was due. Medians of the rounds; the worst of all.

{{table}}

`no exporter`: the SDK makes the spans and nobody takes them. Spans that are not exported wait in
the SDK's queue of 2 048, then it drops them; costspan can do nothing about that while it is not
there.
"""


if __name__ == "__main__":
    main()
