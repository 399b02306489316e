"""costspan beside the real Collector: writes COLLECTOR.md, a record and the README's table.

`python benchmarks/beside.py [--rounds N]`. A round takes every load in turn, and under it J1, J2,
costspan, J3, costspan with ClickHouse and J4 one after another, with the same requests and sinks:
a machine that drifts drifts for all alike. `--only W2/512` prints that load's figures and keeps
nothing; so does `--quick`, a smoke run whose figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector import build, collector, version
from ends import Ends, far_ends
from load import Generator
from machine import commit, loop_ms, machine
from measure import Case, Running, measure, warm
from ratios import LOADS, OURS, OURS_STORED, Load, Record, markdown, place
from sidecar import NO_STORE, STAND_IN, sidecar

_HERE = Path(__file__).parent
_README = _HERE.parent / "README.md"
ORDER = ("J1", "J2", OURS, "J3", OURS_STORED, "J4")
_STORED = {"J3", OURS_STORED}
_QUICK = (Load("W2", 512), Load("W2", 100, 10_000))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="the ratios' medians are over them")
    parser.add_argument("--quick", action="store_true", help="a smoke run: record nothing")
    parser.add_argument("--json", type=Path, help="write the record there as well")
    parser.add_argument("--only", action="append", metavar="LOAD", help="such as W2/512; print it")
    arguments = parser.parse_args()
    loads = _QUICK if arguments.quick else _chosen(arguments.only)
    record = run(1 if arguments.quick else arguments.rounds, loads, quick=arguments.quick)
    text = json.dumps(record._asdict(), indent=1) + "\n"
    if arguments.json:
        arguments.json.write_text(text)
    if arguments.quick or arguments.only:
        print(markdown(record))
        return
    (_HERE / "results" / record.name).write_text(text)
    (_HERE / "COLLECTOR.md").write_text(markdown(record))
    _README.write_text(place(_README.read_text(), record))


def _chosen(names: Sequence[str] | None) -> list[Load]:
    """Those with such names, or all. Exits with a sentence if a name is none."""
    named = {f"{load.workload}/{load.rate or load.spans}": load for load in LOADS}
    if unknown := set(names or ()) - named.keys():
        sys.exit(f"expected a load of {', '.join(named)}, got {', '.join(sorted(unknown))}")
    return [named[name] for name in names or named]


def run(rounds: int, loads: Sequence[Load], *, quick: bool) -> Record:
    """Measure. A quick run sends so little that its figures mean nothing."""
    binary, revision = build(), commit()  # others may commit while it runs
    load_before, loop_before = os.getloadavg()[0], loop_ms()
    with far_ends() as ends:
        rows = [
            {"round": number} | row
            for number in range(1, rounds + 1)
            for load in loads
            for row in _measured(binary, ends, load, quick=quick)
        ]
    return Record(
        date=datetime.now(UTC).date().isoformat(),
        commit=revision,
        command=" ".join(["python", "benchmarks/beside.py", *sys.argv[1:]]),
        collector=version(binary),
        machine=machine(),
        load=(load_before, os.getloadavg()[0]),
        loop_ms=(loop_before, loop_ms()),
        rows=rows,
    )


def _measured(binary: Path, ends: Ends, load: Load, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Every job under one load; the requests are encoded once for all of them."""
    case = Case(*load, seconds=0.3 if quick else 8.0 if load.rate else 3.0)
    supply = case.supply._replace(max_bytes=40 << 20) if quick else case.supply
    with Generator(supply) as generator:
        for job in ORDER:
            sinks = [ends.spans, ends.inserts] if job in _STORED else [ends.spans]
            with _running(binary, job, ends) as running:
                requests = generator.load(running.address)
                warm(sinks, requests, case)
                cost = measure(running, sinks, requests, case, patient=not quick)
            print(f"{job}, {load}: {cost.us_per_span:.1f} us/span", file=sys.stderr, flush=True)
            yield {"job": job} | case._asdict() | cost._asdict()


@contextmanager
def _running(binary: Path, job: str, ends: Ends) -> Iterator[Running]:
    if job in (OURS, OURS_STORED):
        with sidecar(ends, STAND_IN if job in _STORED else NO_STORE) as started:
            yield started.running
    else:
        ports = {"spans": ends.spans.port, "inserts": ends.inserts.port}
        with collector(binary, job, ends.folder, **ports) as running:
            yield running


if __name__ == "__main__":
    main()
