"""Run every benchmark and record what it says: `python benchmarks/run.py` writes RESULTS.md.

Figures are recorded, never asserted: a machine that is busy with something else gives others. The
record says commit, command, machine and load. `--quick` is a smoke run: it prints, and keeps
nothing.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import os
import pstats
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median_low

import intake
import whole
from machine import commit, loop_ms, machine
from measure import Case
from report import Record, markdown
from sidecar import EMBEDDED, NO_STORE, STAND_IN
from workloads import SIZES, WORKLOADS, Workload, profile

_HERE = Path(__file__).parent
_TOP = 25  # functions of a profile


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run: print, record nothing")
    parser.add_argument("--rounds", type=int, default=3, help="of each whole case; the median")
    parser.add_argument("--profile", action="store_true", help="only profile the intake")
    arguments = parser.parse_args()
    if arguments.profile:
        day = datetime.now(UTC).date().isoformat()
        _write(f"{day}-{commit().rstrip('+')}-profile.txt", _profiles())
        return
    record = _record(quick=arguments.quick, rounds=1 if arguments.quick else arguments.rounds)
    text = markdown(record)
    if arguments.quick:
        print(text)
        return
    _write(
        f"{record.date}-{record.commit.rstrip('+')}.json",
        json.dumps(record._asdict(), indent=1) + "\n",
    )
    (_HERE / "RESULTS.md").write_text(text)


def cases(*, quick: bool) -> list[tuple[Case, str]]:
    """Load and store. Closed loop, then open loop; a quick run takes one of each kind."""
    if quick:
        return [
            (Case("W2", 512, seconds=1.0), NO_STORE),
            (Case("W2", 512, seconds=1.0), STAND_IN),
            (Case("W2", 100, rate=5000, seconds=2.0), STAND_IN),
        ]
    stores = (NO_STORE, STAND_IN)
    closed = [(Case(w, size), store) for store in stores for w in WORKLOADS for size in SIZES]
    embedded = [(Case(workload, 512), EMBEDDED) for workload in WORKLOADS]
    open_loop = [(Case("W2", 100, rate=10_000, seconds=15.0), store) for store in stores]
    slower = (Case("W2", 100, rate=5000, seconds=15.0), STAND_IN)
    return [*closed, *embedded, *open_loop, slower]


def _record(*, quick: bool, rounds: int) -> Record:
    revision = commit()  # others may commit while it runs
    load_before, loop_before = os.getloadavg()[0], loop_ms()
    costs = [cost._asdict() for cost in intake.run(quick=quick)]
    started = _typical_start(rounds)._asdict()
    results = [result.row() for result in _measured(cases(quick=quick), rounds)]
    return Record(
        date=datetime.now(UTC).date().isoformat(),
        commit=revision,
        command=" ".join(["python", "benchmarks/run.py", *sys.argv[1:]]),
        machine=machine(),
        load=(load_before, os.getloadavg()[0]),
        loop_ms=(loop_before, loop_ms()),
        workloads={name: profile(name)._asdict() for name in WORKLOADS},
        intake=costs,
        start=started,
        whole=results,
    )


def _typical_start(rounds: int) -> whole.Start:
    started = [whole.start() for _ in range(rounds)]
    middle = median_low(start.cpu_seconds for start in started)
    return next(start for start in started if start.cpu_seconds == middle)


def _measured(wanted: list[tuple[Case, str]], rounds: int) -> Iterator[whole.Result]:
    """The round with the median cost, for every case. Rounds go round robin over the cases."""
    found: dict[tuple[Case, str], list[whole.Result]] = {each: [] for each in wanted}
    for number in range(rounds):
        for case, store in wanted:
            result = whole.run(case, store)
            found[case, store].append(result)
            told = f"{case} {store}: {result.cost.us_per_span:.1f} us/span"
            print(f"{number + 1}/{rounds} {told}", flush=True)
    for results in found.values():
        middle = median_low(result.cost.us_per_span for result in results)
        yield next(result for result in results if result.cost.us_per_span == middle)


def _profiles() -> str:
    """Where the intake's time goes, by function, for 512 spans a request."""
    out = io.StringIO()
    for workload in WORKLOADS:
        supply, pipeline = Workload(workload), intake.pipeline(intake.meter())
        for request in supply.requests(512, 4 << 20):
            pipeline.intake(request.body)
        bodies = [request.body for request in supply.requests(512, 32 << 20)]
        profiler = cProfile.Profile()
        with profiler:
            for body in bodies:
                pipeline.intake(body)
        out.write(f"{workload}, {512 * len(bodies)} spans in requests of 512, by own time\n")
        pstats.Stats(profiler, stream=out).strip_dirs().sort_stats("tottime").print_stats(_TOP)
    return out.getvalue()


def _write(name: str, text: str) -> None:
    folder = _HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    print(folder / name)


if __name__ == "__main__":
    main()
